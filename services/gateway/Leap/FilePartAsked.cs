using Corral.Leap.V1;

namespace Corral.Gateway.Leap;

/// <summary>Which part of a file is read: so many bytes from an offset on, or so many lines of one end. A negative number means that it was not asked for.</summary>
internal readonly record struct FilePartAsked(long Offset, long Limit, long Head, long Tail)
{
    public static readonly FilePartAsked All = new(0, -1, -1, -1);

    public static FilePartAsked Of(ReadFileRequest request)
    {
        var problems = new Problems();
        problems.Require("path", request.Path);
        foreach (var (name, given, value) in new[]
        {
            ("offset", request.HasOffset, request.Offset), ("limit", request.HasLimit, request.Limit),
            ("head", request.HasHead, request.Head), ("tail", request.HasTail, request.Tail),
        })
        {
            if (given && value < 0)
            {
                problems.Add(name, "must not be negative");
            }
        }

        if (request.HasHead && (request.HasTail || request.HasOffset || request.HasLimit))
        {
            problems.Add("head", "must not be given together with tail, offset or limit");
        }

        if (request.HasTail && (request.HasOffset || request.HasLimit))
        {
            problems.Add("tail", "must not be given together with offset or limit");
        }

        problems.Check();
        return new FilePartAsked(
            request.Offset, request.HasLimit ? request.Limit : -1, request.HasHead ? request.Head : -1, request.HasTail ? request.Tail : -1);
    }
}
