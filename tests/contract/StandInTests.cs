using System.Collections.Immutable;
using System.Reflection;
using System.Reflection.Metadata;
using System.Reflection.PortableExecutable;
using Xunit;

namespace Corral.Contract.Tests;

/// <summary>Everything that the official assemblies take from a stand-in is there.</summary>
public sealed class StandInTests
{
    private static readonly string[] StandIns = ["Grpc.Core.Api", "Grpc.Net.Common", "Pipelines.Sockets.Unofficial"];

    [Theory]
    [InlineData("Grpc.Net.Client")]
    [InlineData("Grpc.AspNetCore.Server")]
    [InlineData("StackExchange.Redis")]
    [InlineData("Yarp.ReverseProxy")]
    public void EveryReference_IsAnsweredByAStandIn(string assembly)
    {
        using var file = new PEReader(File.OpenRead(Path.Combine(AppContext.BaseDirectory, assembly + ".dll")));
        var reader = file.GetMetadataReader();

        var missing = reader.TypeReferences.Select(reader.GetTypeReference).Where(t => StandIn(reader, t) is not null)
            .Where(t => Resolve(reader, t) is null).Select(t => "type " + Name(reader, t))
            .Concat(reader.MemberReferences.Select(reader.GetMemberReference).Where(m => !IsThere(reader, m)).Select(m => "member " + reader.GetString(m.Name)))
            .ToList();

        Assert.Empty(missing);
    }

    [Fact]
    public void TheStandIns_CarryTheOfficialIdentity()
    {
        foreach (var wanted in Assembly.Load("Grpc.Net.Client").GetReferencedAssemblies().Where(r => StandIns.Contains(r.Name)))
        {
            var found = Assembly.Load(wanted.Name!).GetName();
            Assert.Equal(wanted.Version, found.Version);
            Assert.Equal(Convert.ToHexString(wanted.GetPublicKeyToken()!), Convert.ToHexString(found.GetPublicKeyToken()!));
        }
    }

    // A member is looked up by name, kind and the number of its parameters and type parameters, then by its signature's text.
    private static bool IsThere(MetadataReader reader, MemberReference member)
    {
        var owner = Owner(reader, member.Parent);
        if (owner is null)
        {
            return true;
        }

        var name = reader.GetString(member.Name);
        const BindingFlags All = BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.Instance | BindingFlags.Static;
        if (member.GetKind() == MemberReferenceKind.Field)
        {
            return owner.GetField(name, All) is not null;
        }

        var signature = member.DecodeMethodSignature(new Spelling(), null);
        return owner.GetMembers(All | BindingFlags.FlattenHierarchy).OfType<MethodBase>().Any(method =>
            method.Name == name
            && (method.IsPublic || method.IsFamily || method.IsFamilyOrAssembly)
            && method.IsStatic != signature.Header.IsInstance
            && (method.IsGenericMethodDefinition ? method.GetGenericArguments().Length : 0) == signature.GenericParameterCount
            && method.GetParameters().Select(p => Spelling.Of(p.ParameterType)).SequenceEqual(signature.ParameterTypes)
            && (method is not MethodInfo returning || Spelling.Of(returning.ReturnType) == signature.ReturnType));
    }

    private static Type? Owner(MetadataReader reader, EntityHandle parent)
    {
        if (parent.Kind == HandleKind.TypeReference)
        {
            var type = reader.GetTypeReference((TypeReferenceHandle)parent);
            return StandIn(reader, type) is null ? null : Resolve(reader, type);
        }

        if (parent.Kind != HandleKind.TypeSpecification)
        {
            return null;
        }

        var blob = reader.GetBlobReader(reader.GetTypeSpecification((TypeSpecificationHandle)parent).Signature);
        if (blob.ReadSignatureTypeCode() != SignatureTypeCode.GenericTypeInstance)
        {
            return null;
        }

        blob.ReadCompressedInteger();
        return blob.ReadTypeHandle() is { Kind: HandleKind.TypeReference } generic ? Owner(reader, generic) : null;
    }

    private static string? StandIn(MetadataReader reader, TypeReference type) => type.ResolutionScope.Kind switch
    {
        HandleKind.TypeReference => StandIn(reader, reader.GetTypeReference((TypeReferenceHandle)type.ResolutionScope)),
        HandleKind.AssemblyReference => Array.Find(StandIns, reader.GetString(reader.GetAssemblyReference((AssemblyReferenceHandle)type.ResolutionScope).Name).Equals),
        _ => null,
    };

    private static Type? Resolve(MetadataReader reader, TypeReference type) =>
        Assembly.Load(StandIn(reader, type)!).GetType(Name(reader, type)) is { } found && (found.IsVisible || found.IsNestedFamORAssem || found.IsNestedFamily) ? found : null;

    private static string Name(MetadataReader reader, TypeReference type) => type.ResolutionScope.Kind == HandleKind.TypeReference
        ? Name(reader, reader.GetTypeReference((TypeReferenceHandle)type.ResolutionScope)) + "+" + reader.GetString(type.Name)
        : reader.GetString(type.Namespace) + "." + reader.GetString(type.Name);

    /// <summary>Spells types alike, from metadata and from reflection: simple names, with generic arguments.</summary>
    private sealed class Spelling : ISignatureTypeProvider<string, object?>
    {
        public static string Of(Type type)
        {
            if (type.IsByRef)
            {
                return "ref " + Of(type.GetElementType()!);
            }

            if (type.IsSZArray)
            {
                return Of(type.GetElementType()!) + "[]";
            }

            if (type.IsGenericParameter)
            {
                return (type.DeclaringMethod is null ? "!" : "!!") + type.GenericParameterPosition;
            }

            return type.IsGenericType ? $"{type.Name}<{string.Join(",", type.GetGenericArguments().Select(Of))}>" : type.Name;
        }

        public string GetArrayType(string elementType, ArrayShape shape) => elementType + "[,]";

        public string GetByReferenceType(string elementType) => "ref " + elementType;

        public string GetFunctionPointerType(MethodSignature<string> signature) => "fnptr";

        public string GetGenericInstantiation(string genericType, ImmutableArray<string> typeArguments) => $"{genericType}<{string.Join(",", typeArguments)}>";

        public string GetGenericMethodParameter(object? genericContext, int index) => "!!" + index;

        public string GetGenericTypeParameter(object? genericContext, int index) => "!" + index;

        public string GetModifiedType(string modifier, string unmodifiedType, bool isRequired) => unmodifiedType;

        public string GetPinnedType(string elementType) => elementType;

        public string GetPointerType(string elementType) => elementType + "*";

        public string GetPrimitiveType(PrimitiveTypeCode typeCode) => typeCode.ToString();

        public string GetSZArrayType(string elementType) => elementType + "[]";

        public string GetTypeFromDefinition(MetadataReader reader, TypeDefinitionHandle handle, byte rawTypeKind) => reader.GetString(reader.GetTypeDefinition(handle).Name);

        public string GetTypeFromReference(MetadataReader reader, TypeReferenceHandle handle, byte rawTypeKind) => reader.GetString(reader.GetTypeReference(handle).Name);

        public string GetTypeFromSpecification(MetadataReader reader, object? genericContext, TypeSpecificationHandle handle, byte rawTypeKind) =>
            reader.GetTypeSpecification(handle).DecodeSignature(this, genericContext);
    }
}
