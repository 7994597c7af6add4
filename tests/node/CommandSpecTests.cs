using Corral.Api.V1;
using Corral.Hosting;
using Corral.NodeAgent.Commands;
using Grpc.Core;
using Xunit;

namespace Corral.NodeAgent.Tests;

/// <summary>What a command may ask for.</summary>
public sealed class CommandSpecTests
{
    [Theory]
    [InlineData(-1)]
    [InlineData(long.MinValue)]
    [InlineData(86_400_001)]
    public void A_time_limit_that_nobody_could_keep_is_refused_by_its_name(long milliseconds)
    {
        foreach (var parse in new Func<CommandSpec>[]
        {
            () => CommandSpec.Of(new RunRequest { Command = "true", TimeoutMs = milliseconds }),
            () => CommandSpec.Of(new StreamRequest { Command = "true", TimeoutMs = milliseconds }),
            () => CommandSpec.Of(new StartCommand { Command = "true", TimeoutMs = milliseconds }),
        })
        {
            var error = RpcErrors.Read(Assert.Throws<RpcException>(parse));
            Assert.Equal((StatusCode.InvalidArgument, "timeout_ms"), (error.Code, error.Violations.Single().Field));
        }
    }

    [Fact]
    public void A_command_that_is_started_has_no_time_limit_of_its_own()
    {
        Assert.Equal(0, CommandSpec.Of(new StartCommand { Command = "true" }).Request.TimeoutMs);
        Assert.Equal(0, CommandSpec.Of(new StartCommand { Command = "true", TimeoutMs = 0 }).Request.TimeoutMs);
        Assert.Equal(120_000, CommandSpec.Of(new RunRequest { Command = "true" }).Request.TimeoutMs);
    }
}
