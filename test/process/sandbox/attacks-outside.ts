/** What a sandboxed command might try against files and processes other than the server, as data. Runs nothing. */
import { attack } from './attacks.js';
import type { Case } from './table.js';

/** exit(42) by the 32-bit system call of i386. */
const EXIT_42 = 'pack("H*","b801000000bb2a000000cd80")';
/** The smallest programs that make this call. Each has the header of the file, the header of its one part, and the code (elf(5)). */
const PROGRAM_OF_32_BITS =
  'pack("C16v2V5v6",0x7f,0x45,0x4c,0x46,1,1,1,(0)x9,2,3,1,0x8048054,52,0,0,52,32,1,0,0,0)' +
  `.pack("V8",1,0,0x8048000,0x8048000,96,96,5,4096).${EXIT_42}`;
const PROGRAM_OF_64_BITS =
  'pack("C16v2VQ3Vv6",0x7f,0x45,0x4c,0x46,2,1,1,(0)x9,2,62,1,0x400078,64,0,0,64,56,1,0,0,0)' +
  `.pack("V2Q6",1,5,0,0x400000,0x400000,132,132,4096).${EXIT_42}`;

/** Runs a program that is only in memory. */
function fromMemory(program: string): string {
  return (
    `perl -e 'my $d=syscall(319,my $n="m",0); open(W,">&=",$d); syswrite(W,${program}); open(R,"<","/proc/self/fd/$d"); ` +
    `close W; exec {"/proc/self/fd/".fileno(R)} "x"; print "$!"'`
  );
}

/** Runs an expression with all rights of a user namespace of its own, where the host lets a command have one. */
function asRootOfItsOwn(perl: string): string {
  return `perl -e 'syscall(272,0x10020000)==0 or print "no namespace "; my ($none,$writable)=("",pack("Q4",0,1,0,0)); ${perl} print "of 1"'`;
}

const NONE_OF_ONE = /^0 (no namespace )?of 1$/;
const ANY_OF_ONE = /of 1$/;
/** An attack by mounts. Where the thread has no mounts of its own, the server reports that it does not prevent these. */
const byMounts = (what: string, perl: string): Case => ({
  row: 101,
  what,
  policy: 'workspaceWrite',
  script: asRootOfItsOwn(perl),
  expect: NONE_OF_ONE,
  gap: ANY_OF_ONE,
});

export const ATTACKS_OUTSIDE: readonly Case[] = [
  ...attack('a program of 32 bits', fromMemory(PROGRAM_OF_32_BITS), { expect: /^(159\b|0 .*format error)/ }),
  ...attack('the system calls of 32 bits', fromMemory(PROGRAM_OF_64_BITS), { expect: /^(159|139)\b/ }),
  ...attack(
    'reach files through another process',
    'for f in root/etc/passwd cwd/etc/passwd fd/0 exe environ maps mem ns/mnt; do ' +
      '(true < /proc/$NEIGHBOUR/$f) 2>/dev/null && echo "HIT $f"; done; echo of 1',
  ),
  ...attack(
    'write outside by names of the root folder',
    'for d in /proc/self/root /proc/thread-self/root /proc/self/cwd/../../../..; do ' +
      '(: > $d/etc/execwire-sandbox-test) 2>/dev/null && echo "HIT $d"; done; echo of 1',
  ),
  ...attack(
    'make others wait for a file by a lease',
    `perl -e 'for (0,1,2) { open(F,"<","$ENV{OUT}/f") and fcntl(F,1024,$_) and print "HIT $_ " } print "of 1"'`,
  ),
  ...attack('a setuid program', 'if [ -u $OUT/setuid ]; then $OUT/setuid -u; else echo none; fi', {
    user: 'root',
    expect: /^0 (0|none)$/,
  }),
  byMounts(
    'make a protected folder writable by mounts',
    'my ($p,$w,$m)=(".git",".","m"); mkdir($m); ' +
      'syscall(442,-100,$p,0,$writable,32)==0 and print "HIT mount_setattr "; ' +
      'syscall(166,$p,2)==0 and print "HIT umount "; ' +
      'my $t=syscall(428,-100,$w,1); $t>=0 and open(F,">","/proc/self/fd/$t/.git/x") and print "HIT without mounts "; ' +
      'my $c=syscall(428,-100,$p,1); $c>=0 and syscall(442,$c,$none,0x1000,$writable,32)==0 and print "HIT clone "; ' +
      'syscall(429,$c,$none,-100,$m,4)==0 and print "HIT move_mount ";',
  ),
  byMounts(
    'change metadata outside by mounts',
    'my $o=$ENV{OUT}; my $c=syscall(428,-100,$o,1); $c>=0 and syscall(442,$c,$none,0x1000,$writable,32)==0 and print "HIT clone "; ' +
      'chmod(0600,"/proc/self/fd/$c/f") and print "HIT chmod ";',
  ),
  {
    ...byMounts(
      'write outside by mounts',
      'my $o=$ENV{OUT}; my $c=syscall(428,-100,$o,1); syscall(442,$c,$none,0x1000,$writable,32); ' +
        'open(F,">","/proc/self/fd/$c/f") and print "HIT ";',
    ),
    gap: NONE_OF_ONE,
  },
];
