using System.Buffers.Binary;
using Corral.GuestLink;

namespace Corral.Guest;

/// <summary>A client of a command: the frame that is on its way to it, and what it sent that the command has not taken yet.</summary>
internal sealed unsafe class CommandClient(int socket, FrameReader heard)
{
    private const int MsgDontwait = 0x40;

    private byte[] _input = [];
    private int _inputFrom;

    public Outbox Outbox { get; } = new(socket);

    public bool HasInput => _inputFrom < _input.Length;

    /// <summary>Whether it said that there is no more input.</summary>
    public bool ClosedInput { get; private set; }

    /// <summary>What to wait for; its next frame only when the command took its last input.</summary>
    public Libc.PollFd Watch(bool hears) => new()
    {
        Fd = socket,
        Events = (short)(Libc.PollRdhup | (hears && !HasInput ? Libc.PollIn : 0) | (Outbox.IsEmpty ? 0 : Libc.PollOut)),
    };

    /// <summary>Obeys what it sent. False when it is gone or breaks the rules.</summary>
    public bool Hear(Command command)
    {
        while (!HasInput)
        {
            nint count;
            fixed (byte* room = heard.Room)
            {
                count = Libc.recv(socket, room, (nuint)heard.Room.Length, MsgDontwait);
            }

            if (count <= 0)
            {
                return count < 0 && Libc.LastError is Libc.Eagain or Libc.Eintr;
            }

            var step = heard.Advance((int)count);
            if (step == FrameStep.Broken || (step == FrameStep.Whole && !Obey(command, heard.Take(out var kind), kind)))
            {
                return false;
            }
        }

        return true;
    }

    /// <summary>Gives the command as much of the input as it takes now.</summary>
    public void Feed(Command command)
    {
        while (command.In >= 0 && HasInput)
        {
            nint count;
            fixed (byte* start = _input)
            {
                count = Libc.write(command.In, start + _inputFrom, (nuint)(_input.Length - _inputFrom));
            }

            if (count > 0)
            {
                _inputFrom += (int)count;
            }
            else if (Libc.LastError == Libc.Eagain)
            {
                return;
            }
            else if (Libc.LastError != Libc.Eintr)
            {
                // The command reads no more.
                break;
            }
        }

        if (HasInput && !command.HasTerminal)
        {
            command.CloseIn();
        }

        (_input, _inputFrom) = ([], 0);
    }

    private bool Obey(Command command, byte[] payload, byte kind)
    {
        switch (kind)
        {
            case Frame.Stdin:
                (_input, _inputFrom) = (payload, 0);
                Feed(command);
                return true;
            case Frame.CloseStdin:
                ClosedInput = true;
                command.CloseIn();
                return true;
            case Frame.Signal when payload is [> 0 and <= 64 and var signal]:
                command.Signal(signal);
                return true;
            case Frame.Resize when payload.Length == 4:
                command.Resize(BinaryPrimitives.ReadUInt16LittleEndian(payload), BinaryPrimitives.ReadUInt16LittleEndian(payload.AsSpan(2)));
                return true;
            default:
                return false;
        }
    }
}
