/**
 * Constants and addresses for scripts in Perl, as text of Perl without single quotes. The modules that have them take three times as long to load as
 * Perl itself, and thousands of scripts use them. Knows no script.
 */

const CONSTANTS: Readonly<Record<string, number>> = {
  O_RDONLY: 0,
  O_RDWR: 2,
  O_TRUNC: 0o1000,
  PF_UNIX: 1,
  PF_INET: 2,
  PF_INET6: 10,
  SOCK_STREAM: 1,
  SOCK_DGRAM: 2,
  SOCK_RAW: 3,
  SOL_SOCKET: 1,
  SO_TYPE: 3,
};

/** Numbers of Linux, the same on x64 and arm64; `unix_at(NAME)` and `loopback(PORT)` are addresses. */
export const PERL_WORDS = [
  ...Object.entries(CONSTANTS).map(([name, value]) => `sub ${name}(){${value}}`),
  'sub unix_at{pack("Sa*",1,$_[0])}',
  'sub loopback{pack("SnNx8",2,$_[0],0x7f000001)}',
].join(' ');
