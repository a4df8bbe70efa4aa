/**
 * Opens terminals and sets their size through the C library. It knows no process, and nothing of reading and writing.
 */
import { closeSync, constants, openSync } from 'node:fs';
import { getSystemErrorName } from 'node:util';
import type { LibraryHandle } from 'koffi';
import type { TerminalSize } from './os-process.js';
import { errnoOf, spawnError } from './program-path.js';

/** O_CLOEXEC of Linux, as an octal number the same on every architecture that Node has a build for (asm-generic/fcntl.h). */
export const O_CLOEXEC = 0o2000000;
/** Sets `struct winsize` (asm-generic/ioctls.h; PowerPC has a number of its own). */
const TIOCSWINSZ = process.arch === 'ppc64' ? 0x80087467 : 0x5414;
/** Four 16-bit numbers: rows, columns, and two in pixels. */
const WINSIZE_BYTES = 8;
/** `struct termios` is 60 bytes in glibc and musl. This is larger. */
const TERMIOS_BYTES = 128;
/** Offset of `c_lflag`, the fourth 32-bit flag word; `c_iflag` is the first. */
const LFLAG_OFFSET = 12;
/** Offset of `c_cc`: four flag words and the line discipline's byte. */
const CC_OFFSET = 17;
const VEOF = 4;
const ICANON = 2;
const TCSANOW = 0;
/**
 * Flags that terminal programs set beyond the kernel's own defaults (BRKINT, IXANY, IMAXBEL, IUTF8): a break interrupts, any key continues after
 * control-S, a full line rings, and erase takes a whole UTF-8 character.
 */
const INPUT_FLAGS = 0o2 | 0o4000 | 0o20000 | 0o40000;
/** `/dev/pts/` and a number of at most ten digits. */
const PATH_BYTES = 64;

/** Both sides of a terminal; each descriptor is close-on-exec and belongs to the caller. */
export interface TerminalPair {
  /** The server's side; non-blocking. */
  readonly master: number;
  /** The child's side. While it is held, no hang-up comes. */
  readonly slave: number;
  /** Path of the child's side, for the child to open. */
  readonly path: string;
}

/** How a terminal reads its input. */
export interface TerminalInput {
  /** The byte that means end-of-file at the start of a line. */
  readonly endOfFile: number;
  /** True while the terminal collects lines (canonical mode), false in raw mode. */
  readonly byLine: boolean;
}

export interface TerminalCalls {
  /** @throws {SpawnError} with the errno of the call that failed */
  openTerminal(size: TerminalSize): TerminalPair;
  /** Sets the window size through the master; the foreground job gets SIGWINCH. Does nothing on a terminal that is gone. */
  resizeTerminal(master: number, size: TerminalSize): void;
  /** Attributes of the terminal behind a descriptor (a master tells those of its slave); undefined when unknown. */
  terminalInput(fd: number): TerminalInput | undefined;
}

/** @param errno the error of the last C call on this thread. @throws {Error} when the C library lacks one of the functions. */
export function terminalCalls(lib: LibraryHandle, errno: () => number): TerminalCalls {
  const openMaster: (flags: number) => number = lib.func('int posix_openpt(int flags)');
  const grantSlave: (master: number) => number = lib.func('int grantpt(int master)');
  const unlockSlave: (master: number) => number = lib.func('int unlockpt(int master)');
  const slavePath: (master: number, path: Buffer, bytes: number) => number = lib.func(
    'int ptsname_r(int master, void *path, size_t bytes)',
  );
  const ioctl: (fd: number, request: number, argument: Buffer) => number = lib.func(
    'int ioctl(int fd, unsigned long request, void *argument)',
  );
  const tcgetattr: (fd: number, attributes: Buffer) => number = lib.func('int tcgetattr(int fd, void *attributes)');
  const tcsetattr: (fd: number, when: number, attributes: Buffer) => number = lib.func(
    'int tcsetattr(int fd, int when, void *attributes)',
  );

  const must = (result: number, subject: string): number => {
    if (result < 0) throw spawnError(subject, getSystemErrorName(-errno()));
    return result;
  };
  const setSize = (master: number, { rows, cols }: TerminalSize): number => {
    const size = Buffer.alloc(WINSIZE_BYTES);
    size.writeUInt16LE(rows, 0);
    size.writeUInt16LE(cols, 2);
    return ioctl(master, TIOCSWINSZ, size);
  };
  const setInputFlags = (master: number): void => {
    const attributes = Buffer.alloc(TERMIOS_BYTES);
    must(tcgetattr(master, attributes), 'terminal attributes');
    attributes.writeUInt32LE(attributes.readUInt32LE(0) | INPUT_FLAGS, 0);
    must(tcsetattr(master, TCSANOW, attributes), 'terminal attributes');
  };

  return {
    openTerminal(size) {
      const { O_RDWR, O_NOCTTY, O_NONBLOCK } = constants;
      const master = must(openMaster(O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC), 'terminal (/dev/ptmx)');
      try {
        const name = Buffer.alloc(PATH_BYTES);
        must(grantSlave(master), 'terminal (its owner)');
        must(unlockSlave(master), 'terminal (its lock)');
        const failure = slavePath(master, name, PATH_BYTES);
        if (failure !== 0) throw spawnError('terminal (its name)', getSystemErrorName(-failure));
        const path = name.toString('latin1', 0, name.indexOf(0));
        setInputFlags(master);
        must(setSize(master, size), 'terminal size');
        return { master, path, slave: openSlave(path) };
      } catch (error) {
        closeSync(master);
        throw error;
      }
    },
    resizeTerminal(master, size) {
      setSize(master, size);
    },
    terminalInput(fd) {
      const attributes = Buffer.alloc(TERMIOS_BYTES);
      if (tcgetattr(fd, attributes) !== 0) return undefined;
      return {
        endOfFile: attributes.readUInt8(CC_OFFSET + VEOF),
        byLine: (attributes.readUInt32LE(LFLAG_OFFSET) & ICANON) !== 0,
      };
    },
  };
}

function openSlave(path: string): number {
  try {
    return openSync(path, constants.O_RDWR | constants.O_NOCTTY);
  } catch (error) {
    throw spawnError(`terminal (${path})`, errnoOf(error) ?? 'EIO');
  }
}
