using Grpc.Core;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;

namespace Corral.Hosting;

/// <summary>Registers clients of Corral's own services.</summary>
public static class CorralServices
{
    /// <summary>Adds a generated client for a service of this instance.</summary>
    /// <param name="services">The container.</param>
    /// <param name="service">The service's name, such as <c>scheduler</c>. Its address is the setting <c>Services:&lt;name&gt;</c>, by default its Unix socket.</param>
    public static IServiceCollection AddCorralClient<TClient>(this IServiceCollection services, string service)
        where TClient : ClientBase<TClient> =>
        services.AddSingleton(provider =>
        {
            var address = provider.GetRequiredService<IConfiguration>().ServiceAddress(service);
            var invoker = provider.GetRequiredService<ChannelPool>().Get(address).CreateCallInvoker();
            return (TClient)Activator.CreateInstance(typeof(TClient), invoker)!;
        });

    /// <summary>The address of a service of this instance.</summary>
    public static string ServiceAddress(this IConfiguration configuration, string service) =>
        configuration["Services:" + service] is { Length: > 0 } address ? address : "unix:" + CorralPaths.Socket(service);
}
