using Corral.Hosting;

namespace Corral.Redis;

/// <summary>Redis does not answer. Nothing is known of the command's effect: whoever repeats it must be idempotent.</summary>
public sealed class StateStoreUnavailableException(Exception inner)
    : DependencyUnavailableException("STATE_STORE_UNAVAILABLE", "The state store is unavailable. Try again shortly.", TimeSpan.FromSeconds(1), inner);
