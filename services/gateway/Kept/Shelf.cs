using System.Collections.Concurrent;

namespace Corral.Gateway.Kept;

/// <summary>The answers of one organisation, by what was asked.</summary>
internal sealed class Shelf(Room room)
{
    private const int MostAnswers = 256;
    private const int LongestAnswer = 64 * 1024;

    private readonly ConcurrentDictionary<Asked, byte[]> _answers = new();
    private readonly Lock _gate = new();
    private int _count;

    public byte[]? Find(in Asked asked) => _answers.TryGetValue(asked, out var answer) ? answer : null;

    /// <summary>Keeps an answer, if it is not too long and there are not too many. They are made up anew in a second at the latest: nobody is put out for another.</summary>
    public void Put(in Asked asked, byte[] answer)
    {
        var bytes = answer.Length + asked.Bytes;
        if (bytes > LongestAnswer)
        {
            return;
        }

        lock (_gate)
        {
            if (_count < MostAnswers && !_answers.ContainsKey(asked) && room.Takes(bytes))
            {
                _answers[asked] = answer;
                _count++;
            }
        }
    }
}
