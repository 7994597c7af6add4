using System.Globalization;
using Corral.Bench;

var count = args.Length > 1 ? int.Parse(args[1], CultureInfo.InvariantCulture) : 30;
switch (args.FirstOrDefault())
{
    case "lifecycle":
        await Lifecycle.RunAsync(count);
        return 0;
    default:
        Console.Error.WriteLine("Benchmarks: lifecycle [COUNT]");
        return 2;
}
