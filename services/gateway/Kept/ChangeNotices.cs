using Corral.Redis;

namespace Corral.Gateway.Kept;

/// <summary>Has the answers of an organisation forgotten as soon as sessions says that something of it changed.</summary>
internal sealed class ChangeNotices(RedisConnection redis, KeptAnswers answers, TimeProvider clock) : BackgroundService
{
    protected override Task ExecuteAsync(CancellationToken stoppingToken) =>
        new RedisListener(redis, OrganizationNotices.Channel, clock).RunAsync(answers.Forget, answers.Keep, stoppingToken);
}
