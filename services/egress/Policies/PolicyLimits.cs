namespace Corral.Egress.Policies;

/// <summary>How much traffic one sandbox may cause.</summary>
/// <param name="Connections">Open connections.</param>
/// <param name="ConnectionsPerSecond">New connections a second.</param>
/// <param name="BytesPerSecond">Bytes a second, both directions together; 0 for no limit.</param>
/// <param name="QuestionsPerSecond">Questions a second to the resolver.</param>
internal readonly record struct PolicyLimits(int Connections, int ConnectionsPerSecond, long BytesPerSecond, int QuestionsPerSecond);
