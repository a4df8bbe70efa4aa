/**
 * What a sandboxed command might try against the server whose thread started it, as data. Runs nothing.
 *
 * Each script prints `HIT` for each thread of the server that it has reached, which shows a success. Signals are real ones, so that a success ends the
 * runner. Arguments of a system call must be numbers to perl, because it passes a text by its address.
 */
import { PERL_WORDS } from './perl-words.js';
import type { Case } from './table.js';

const SIGKILL = 9;

/** Tries something on each thread of the server, `$t`, and on its process. */
function onEachThread(expression: string, before = ''): string {
  return (
    `perl -e '${PERL_WORDS} ${before} for my $t (map { m{([0-9]+)$} && $1+0 } glob("/proc/$ENV{SERVER}/task/*")) ` +
    `{ $n++; (${expression}) and print "HIT $t " } print "of $n"'`
  );
}

const NONE = /^0 of [1-9]\d*$/;
const SCHEDULING: readonly [what: string, expression: string][] = [
  ['setpriority', 'setpriority(0,$t,10)'],
  ['sched_setaffinity', 'syscall(203,$t,8,my $m=pack("Q",1))==0'],
  ['sched_setscheduler', 'syscall(144,$t,3,my $p=pack("i",0))==0'],
  ['ioprio_set', 'syscall(251,1,$t,3<<13)==0'],
];
const sockets = 'socketpair(A,B,PF_UNIX,SOCK_STREAM,0);';

/** The same attack under both policies, with a network and without. By default none of its tries may succeed. */
export function attack(what: string, script: string, rest: Partial<Case> = {}): Case[] {
  return (['readOnly', 'workspaceWrite'] as const).flatMap((policy) => {
    const one: Case = { row: 100, what, policy, script, expect: NONE, ...rest };
    return [one, { ...one, network: true as const }];
  });
}

export const ATTACKS: readonly Case[] = [
  ...attack('kill', onEachThread(`kill(${SIGKILL},$t)`), { belowAbi: [6, /of/] }),
  ...attack('tkill', onEachThread(`syscall(200,$t,${SIGKILL})==0`)),
  ...attack('tgkill', onEachThread(`syscall(234,$ENV{SERVER}+0,$t,${SIGKILL})==0`)),
  ...attack('rt_sigqueueinfo', onEachThread(`syscall(129,$t,${SIGKILL},my $i=pack("l3x116",${SIGKILL},0,-1))==0`)),
  ...attack(
    'rt_tgsigqueueinfo',
    onEachThread(`syscall(297,$ENV{SERVER}+0,$t,${SIGKILL},my $i=pack("l3x116",${SIGKILL},0,-1))==0`),
  ),
  ...attack('pidfd_send_signal', onEachThread(`(my $f=syscall(434,$t,0))>=0 && syscall(424,$f,${SIGKILL},0,0)==0`)),
  ...attack('pidfd_send_signal to anybody', `perl -e 'syscall(424,0,0,0,0)==-1 and print "$!"'`, {
    expect: /not implemented/,
  }),
  ...attack('F_SETOWN', onEachThread('fcntl(A,8,$t)', sockets)),
  ...attack('F_SETOWN_EX', onEachThread('fcntl(A,15,my $o=pack("ii",0,$t))', sockets)),
  ...attack('FIOSETOWN', onEachThread('ioctl(A,0x8901,my $o=pack("i",$t))', sockets)),
  ...attack('SIOCSPGRP', onEachThread('ioctl(A,0x8902,my $o=pack("i",$t))', sockets)),
  ...attack('prlimit', onEachThread('syscall(302,$t,7,my $l=pack("QQ",64,64),0)==0')),
  ...attack('read environ', onEachThread('open(F,"<","/proc/$ENV{SERVER}/task/$t/environ")')),
  ...attack('read mem', onEachThread('open(F,"<","/proc/$ENV{SERVER}/task/$t/mem")')),
  ...attack('write mem', onEachThread('open(F,"+<","/proc/$ENV{SERVER}/task/$t/mem")')),
  ...attack('process_vm_readv', onEachThread('syscall(310,$t,0,0,0,0,0)>=0')),
  ...attack('ptrace', onEachThread('syscall(101,16,$t,0,0)==0')),
  ...attack('kcmp', onEachThread('syscall(312,$t,$t,0,0,0)>=0')),
  ...attack('migrate_pages', onEachThread('syscall(256,$t,64,my $a=pack("Q",1),my $b=pack("Q",1))>=0')),
  ...attack('move_pages', onEachThread('syscall(279,$t,0,0,0,0,0)>=0')),
  ...attack('perf_event_open', onEachThread('syscall(298,my $a=pack("LLx104",1,112),$t,-1,-1,0)>=0')),
  ...attack('take a descriptor', onEachThread('syscall(438,0,0,0)>=0')),
  ...SCHEDULING.flatMap(([what, expression]) => [
    ...attack(`${what} on the main thread`, onEachThread(`$t == $ENV{SERVER} && ${expression}`)),
    // Threads of other sandboxes may be newer than the filter, so they can be slowed. There are as many as the pool keeps, or more when `/` changes meanwhile.
    ...attack(what, onEachThread(expression), { expect: /^0 (HIT \d+ ){0,8}of [1-9]\d*$/ }),
  ]),
  ...attack(
    "open the server's descriptors",
    'for f in /proc/$SERVER/fd/*; do head -c0 "$f" 2>/dev/null && echo HIT; done; echo of 1',
  ),
  ...attack(
    "write through the server's folder",
    'for d in cwd root; do touch /proc/$SERVER/$d/execwire-sandbox-test 2>/dev/null && echo HIT; done; echo of 1',
  ),
  ...attack(
    "the thread's own settings",
    'for f in /proc/$SERVER/task/*/comm /proc/$SERVER/oom_score_adj /proc/$SERVER/coredump_filter; do echo 1 2>/dev/null > $f && echo HIT; done 2>/dev/null; echo of 1',
  ),
  ...attack(
    'system calls that are newer than the list',
    `perl -e 'for (470..480) { syscall($_,0,0,0,0)==-1 && $!{ENOSYS} or print "HIT $_ " } print "of 1"'`,
  ),
  ...attack("x64's second numbers", `perl -e 'syscall(0x40000000+39)==-1 and print "$!"'`, { expect: /not permitted/ }),
  ...attack(
    'become dumpable or privileged again',
    `perl -e 'syscall(126,my $h=pack("Ll",0x20080522,0),my $d=pack("L6",(0xffffffff)x6))==0 and print "HIT "; print "of 1"'`,
  ),
  ...attack('another command of the same thread: signals', 'sleep 9 & kill $!; wait $!; echo $?', { expect: /143$/ }),
];
