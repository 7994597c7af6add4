namespace Corral.Sessions.Organizations;

/// <summary>An organisation.</summary>
internal sealed record OrganizationFacts(string Id, string Name, string Plan, DateTimeOffset CreatedAt);
