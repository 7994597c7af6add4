using System.Text.Json;
using Corral.GuestLink;
using Xunit;

namespace Corral.Guest.Tests;

public sealed class ChangeQueueTests
{
    private readonly ChangeQueue _queue = new(100);

    [Fact]
    public void Repeated_changes_of_a_path_are_told_once()
    {
        for (var i = 0; i < 1000; i++) _queue.Add("/a", ChangeQueue.Modified);
        Assert.Equal([new GuestChange("/a", ChangeQueue.Modified)], _queue.Take().Changes);
        Assert.True(_queue.IsEmpty);
    }

    [Fact]
    public void A_new_path_is_not_told_as_modified_too()
    {
        _queue.Add("/a", ChangeQueue.Created);
        _queue.Add("/a", ChangeQueue.Modified);
        Assert.Equal([new GuestChange("/a", ChangeQueue.Created)], _queue.Take().Changes);
    }

    [Fact]
    public void A_path_that_went_and_came_again_is_told_in_order()
    {
        string[] kinds = [ChangeQueue.Created, ChangeQueue.Deleted, ChangeQueue.Created, ChangeQueue.Deleted];
        foreach (var kind in kinds) _queue.Add("/a", kind);
        Assert.Equal(kinds, _queue.Take().Changes.Select(change => change.Kind));
    }

    [Fact]
    public void A_change_after_its_like_was_taken_is_told_again()
    {
        _queue.Add("/a", ChangeQueue.Modified);
        _queue.Take();
        _queue.Add("/a", ChangeQueue.Modified);
        Assert.Single(_queue.Take().Changes);
    }

    [Fact]
    public void More_than_fits_is_told_as_a_loss_and_what_comes_after_follows_it()
    {
        for (var i = 0; i <= 100; i++) _queue.Add($"/{i}", ChangeQueue.Created);
        _queue.Add("/after", ChangeQueue.Created);
        var taken = _queue.Take();
        Assert.True(taken.Lost);
        Assert.Equal(["/after"], taken.Changes.Select(change => change.Path));
        Assert.True(_queue.IsEmpty);
    }

    [Fact]
    public void Portions_fit_into_frames_whatever_the_paths_are()
    {
        for (var i = 0; i < 100; i++) _queue.Add("/" + new string('\u0001', 4000) + i, ChangeQueue.Created);
        var told = 0;
        while (!_queue.IsEmpty)
        {
            var taken = _queue.Take();
            told += taken.Changes.Count;
            Assert.InRange(JsonSerializer.SerializeToUtf8Bytes(taken, GuestJson.Default.GuestChanges).Length, 1, Frame.MaxPayload);
        }

        Assert.Equal(100, told);
    }
}
