using System.Globalization;
using Corral.Bench;
using Corral.Bench.Api;
using Corral.Bench.Egress;

switch (args.FirstOrDefault())
{
    case "lifecycle":
        await Lifecycle.RunAsync(Count(1, 30), args.ElementAtOrDefault(2));
        return 0;
    case "egress":
        await EgressBench.RunAsync(Count(1, 5), args.ElementAtOrDefault(2));
        return 0;
    case "egress-idle":
        await IdleConnections.HoldAsync(args[1], Count(2, 1));
        return 0;
    case "api":
        await ApiBench.RunAsync(Count(1, 5));
        return 0;
    case "api-bare":
        await BareServer.ServeAsync(Count(1, 0), args[2]);
        return 0;
    default:
        Console.Error.WriteLine("Benchmarks: lifecycle [COUNT [KIND,...]], egress [SECONDS [PROXY,...]], api [SECONDS]");
        return 2;
}

int Count(int position, int usual) => args.Length > position ? int.Parse(args[position], CultureInfo.InvariantCulture) : usual;
