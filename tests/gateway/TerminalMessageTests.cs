using System.Text;
using Corral.Api.V1;
using Corral.Gateway.Terminals;
using Xunit;

namespace Corral.Gateway.Tests;

/// <summary>The text frames that clients send to terminals.</summary>
public sealed class TerminalMessageTests
{
    [Theory]
    [InlineData("")]
    [InlineData("resize")]
    [InlineData("[]")]
    [InlineData("{\"type\":1}")]
    [InlineData("{\"type\":\"resize\"}")]
    [InlineData("{\"type\":\"resize\",\"cols\":80,\"rows\":1001}")]
    [InlineData("{\"type\":\"resize\",\"cols\":80,\"rows\":1.5}")]
    [InlineData("{\"type\":\"\\ud800\"}")]
    [InlineData("{\"\\ud800\":1}")]
    public void ATextThatIsNoneOfWhatClientsMaySend_IsNothing_AndNoFault(string text) => Assert.Null(TerminalMessages.Read(Encoding.UTF8.GetBytes(text)));

    [Fact]
    public void AResize_IsRead_HoweverItIsSpelt() => Assert.Equal(
        new ConnectTerminalRequest { Resize = new TerminalSize { Columns = 80, Rows = 24 } },
        TerminalMessages.Read("{\"rows\":24,\"typ\\u0065\":\"r\\u0065size\",\"cols\":80}"u8));
}
