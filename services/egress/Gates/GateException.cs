namespace Corral.Egress.Gates;

/// <summary>A gate that cannot be taken.</summary>
internal sealed class GateException(string message) : Exception(message);
