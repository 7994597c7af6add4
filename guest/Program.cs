using System.Text.Json;
using Corral.Guest;
using Corral.GuestLink;

// corral-guest SETTINGS        the guest itself, PID 1 of a sandbox
// corral-guest file-op JSON    one file operation as the user that it was started as, on descriptors 0 and 1
switch (args)
{
    case ["file-op", var request]:
        return FileOperations.Run(JsonSerializer.Deserialize(request, GuestJson.Default.GuestRequest)!);
    case [var settings]:
        Server.Run(JsonSerializer.Deserialize(File.ReadAllText(settings), GuestJson.Default.GuestSettings)!);
        return 0;
    default:
        Console.Error.WriteLine("corral-guest is started by Corral, inside sandboxes.");
        return 2;
}
