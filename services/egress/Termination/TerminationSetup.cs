using Corral.Egress.Dialing;
using Corral.Egress.Flows;
using Yarp.ReverseProxy.Forwarder;

namespace Corral.Egress.Termination;

/// <summary>What terminated connections are served by.</summary>
internal static class TerminationSetup
{
    public static IServiceCollection AddTermination(this IServiceCollection services)
    {
        // Its messages are about clients that broke off, and tell whole addresses, queries included. The audit tells what is to be told.
        services.AddLogging(logging => logging.AddFilter("Yarp", LogLevel.None));
        services.AddHttpForwarder();
        services.AddSingleton<UpstreamTrust>();
        services.AddSingleton<UpstreamTable>();
        services.AddSingleton<RequestHandler>();
        services.AddSingleton<TerminationServer>();
        services.AddSingleton<ITerminator>(provider => provider.GetRequiredService<TerminationServer>());
        services.AddHostedService(provider => provider.GetRequiredService<TerminationServer>());
        return services;
    }
}
