/**
 * The contract of the policies as data: each case is one command under one policy, and its outcome. Runs nothing. Long because the contract is.
 *
 * The scripts find the folders of the playground in variables: WS is the workspace, ROOT a further root, OUT neither. `gap` is the outcome where the
 * thread has no mounts of its own, and `belowAbi` the outcome below a version of Landlock.
 */
import type { WorkspaceWritePolicy } from '../../../src/process/sandbox/sandbox-policy.js';
import { PERL_WORDS } from './perl-words.js';

export type Policy = 'readOnly' | 'workspaceWrite';

export interface Case {
  readonly row: number;
  readonly what: string;
  readonly policy: Policy;
  readonly network?: true;
  readonly roots?: readonly string[];
  readonly options?: Partial<Pick<WorkspaceWritePolicy, 'excludeSlashTmp' | 'excludeTmpdirEnvVar'>>;
  /** Started in place of sh. */
  readonly program?: string;
  /** Run by sh, with standard error on standard output. */
  readonly script: string;
  /** Added to the environment; values may name a folder, as `cwd` and `roots` do. */
  readonly env?: Readonly<Record<string, string>>;
  /** The command's directory. Default: WS. */
  readonly cwd?: string;
  /** Whether the command gets a terminal, of 77 columns and 33 rows. */
  readonly tty?: true;
  /** What is typed when the output holds this text. */
  readonly types?: readonly [when: string, bytes: string][];
  /** The wanted `EXITCODE OUTPUT`, lines joined by a blank. */
  readonly expect: RegExp;
  readonly gap?: RegExp;
  readonly belowAbi?: readonly [abi: number, expect: RegExp];
  /** Programs that the host may lack. */
  readonly programs?: readonly string[];
  /** Played only as root, or only as another user. */
  readonly user?: 'root' | 'other';
}

const DENIED = /Permission denied|Read-only file system/;
const READ_ONLY = /Read-only file system/;
const NOT_PERMITTED = /Operation not permitted/;
const OK = /^0 ok$/;

/** The result of a perl expression: `ok`, or the error. */
const perl = (expression: string): string => `perl -e '${PERL_WORDS} $! = 0; print((${expression}) ? "ok" : "$!")'`;
const socket = (family: string, type = 'SOCK_STREAM', protocol = 0): string =>
  perl(`socket(S,${family},${type},${protocol})`);
/** A system call by its number on x64. */
const call = (number: number, ...args: readonly (number | string)[]): string =>
  perl(`syscall(${[number, ...args].join(',')}) >= 0`);

/** Row 63 is played with each of these that the host has. */
const PYTHONS = ['python3.11', 'python3.12', 'python3.13'];

type Variant = Pick<Case, 'policy'> & Partial<Case>;
/** The same script under both policies. */
function both(
  row: number,
  what: string,
  script: string,
  readOnly: RegExp,
  workspaceWrite: RegExp,
  rest: Partial<Case> = {},
): Case[] {
  const variants: Variant[] = [
    { policy: 'readOnly', expect: readOnly },
    { policy: 'workspaceWrite', expect: workspaceWrite },
  ];
  return variants.map((variant) => ({ row, what, script, expect: OK, ...rest, ...variant }));
}
function writing(row: number, what: string, script: string, expect: RegExp, rest: Partial<Case> = {}): Case {
  return { row, what, script, expect, policy: 'workspaceWrite', ...rest };
}

const METADATA: readonly [name: string, expression: (file: string) => string][] = [
  ['chmod', (file) => `chmod(0600, "${file}")`],
  ['chown', (file) => `chown($<, $(+0, "${file}")`],
  ['utimes', (file) => `utime(1, 1, "${file}")`],
];
/** setxattr(2), and FS_IOC_SETFLAGS with the flags that the file has already. */
const setxattr = (file: string): string => perl(`syscall(188,my $p="${file}",my $n="user.a",my $v="x",1,0)==0`);
const setFlags = (file: string): string =>
  perl(`open(F,"<","${file}") and ioctl(F,0x80086601,my $v=pack("q",0)) and ioctl(F,0x40086602,$v)`);

export const TABLE: readonly Case[] = [
  ...both(1, 'create in the workspace and in a subfolder', 'touch n sub/n && echo ok', DENIED, OK),
  ...both(2, 'overwrite and append', 'cp f c 2>/dev/null; { echo x > f && echo y >> f; } && echo ok', DENIED, OK),
  ...both(
    3,
    'redirection in sh',
    'echo x > f',
    /^2 .*cannot create f: (Permission denied|Read-only file system)/,
    /^0 $/,
  ),
  ...both(4, 'touch, rm, cp', 'touch t && cp t u && rm t u && echo ok', DENIED, OK),
  ...both(5, 'truncate(2)', perl('truncate("f",0)'), DENIED, OK, { belowAbi: [3, READ_ONLY] }),
  ...both(5, 'open for reading with O_TRUNC', perl('sysopen(F,"f",O_RDONLY|O_TRUNC)'), DENIED, OK, {
    belowAbi: [3, READ_ONLY],
  }),
  ...both(
    6,
    'rename and link in the workspace',
    perl('rename("f","g") && rename("g","f") && link("f","h")'),
    DENIED,
    OK,
  ),
  writing(
    7,
    'rename and link from one root into another',
    perl('rename("f","$ENV{ROOT}/g") && link("sub/f","$ENV{ROOT}/h")'),
    OK,
    {
      roots: ['ROOT'],
      // Where the thread has mounts of its own, each root is a mount, and a link or rename cannot go from one into another.
      gap: OK,
      expect: /^0 (ok|Invalid cross-device link)$/,
      belowAbi: [2, /cross-device/],
    },
  ),
  writing(8, 'rename to outside', perl('rename("f","$ENV{OUT}/g")'), /denied|cross-device|Read-only/),
  writing(8, 'rename from outside', perl('rename("$ENV{OUT}/f","g")'), /denied|cross-device|Read-only/),
  writing(8, 'link from outside', perl('link("$ENV{OUT}/f","g")'), /denied|cross-device|Read-only/),
  ...both(
    8,
    'rename to outside',
    perl('rename("f","$ENV{OUT}/g")'),
    /denied|cross-device|Read-only/,
    /denied|cross-device|Read-only/,
  ),
  ...both(9, 'symlink', perl('symlink("f","s")'), DENIED, OK),
  ...both(9, 'mkfifo', perl('(require POSIX) && POSIX::mkfifo("p",0600)'), DENIED, OK),
  ...both(9, 'mkdir', perl('mkdir("d")'), DENIED, OK),
  ...both(9, 'O_TMPFILE', perl('sysopen(F,".",020200000|O_RDWR,0600)'), DENIED, OK),
  ...both(
    10,
    'mknod of a device',
    'mknod dev c 1 3 && echo ok',
    /Permission denied|Read-only|not permitted/,
    /Permission denied|not permitted/,
  ),
  ...METADATA.flatMap(([name, expression]) => [
    ...both(11, `${name} in the workspace`, perl(expression('f')), READ_ONLY, OK),
    ...both(12, `${name} outside`, perl(expression('$ENV{OUT}/f')), READ_ONLY, READ_ONLY, { gap: OK }).map((one) =>
      one.policy === 'readOnly' ? { ...one, gap: READ_ONLY } : one,
    ),
  ]),
  ...both(11, 'setxattr in the workspace', setxattr('f'), READ_ONLY, /ok|not supported/),
  ...both(
    11,
    'FS_IOC_SETFLAGS in the workspace',
    setFlags('f'),
    READ_ONLY,
    /ok|Inappropriate|not supported|not permitted/,
  ),
  ...both(
    11,
    'file_setattr in the workspace',
    call(469, -100, 'my $p="f"', 'my $a="\\0"x24', 24, 0),
    READ_ONLY,
    /ok|not (implemented|supported|permitted)|argument/,
  ),
  writing(12, 'setxattr outside', setxattr('$ENV{OUT}/f'), READ_ONLY, { gap: /ok|not supported/ }),
  ...both(13, 'flock on a descriptor that is only read', perl('open(F,"<","f") and flock(F,2)'), OK, OK),
  ...['$OUT', '/etc', '/root', ''].flatMap((folder) =>
    both(14, `create in ${folder || '/'}`, `touch ${folder}/execwire-sandbox-test && echo ok`, DENIED, DENIED),
  ),
  ...both(14, 'write outside', 'echo x > $OUT/f && echo ok', DENIED, DENIED),
  ...both(15, 'write through a symlink to outside', 'echo x > link/f && echo ok', DENIED, DENIED),
  ...both(16, 'workspace is named by a symlink', 'echo x > f && echo ok', DENIED, OK, { cwd: 'WSLINK' }),
  writing(17, 'root is a symlink', 'echo x > $ROOT/f && echo ok', OK, { roots: ['ROOTLINK'] }),
  writing(18, 'root', 'echo x > $ROOT/f && echo ok', OK, { roots: ['ROOT'] }),
  writing(18, 'the same folder when it is no root', 'echo x > $ROOT/f && echo ok', DENIED),
  writing(
    19,
    'root is missing',
    '[ -e $OUT/missing ] && echo made; mkdir $OUT/missing',
    /^1 mkdir.*(denied|Read-only)/,
    { roots: ['OUT/missing'] },
  ),
  writing(20, 'root is a file', 'echo x > $OUT/f && echo ok; touch $OUT/n', /ok touch.*(denied|Read-only)/, {
    roots: ['OUT/f'],
  }),
  writing(21, 'root has a ..', 'echo x > $ROOT/f && echo ok', OK, { roots: ['OUT/../root'] }),
  writing(21, 'roots are nested', 'echo x > $ROOT/f && echo x > $ROOT/deep/f && echo ok', OK, {
    roots: ['ROOT/deep', 'ROOT'],
  }),
  writing(22, 'root is /', 'echo x > $OUT/f && touch $ROOT/n && echo ok', OK, { roots: ['/'] }),
  writing(
    22,
    'root is /: no devices, no settings of the kernel',
    'head -c1 /dev/kmsg </dev/null; echo 1 > /proc/sys/kernel/core_uses_pid; echo end',
    /denied|Read-only|No such/,
    { roots: ['/'] },
  ),
  writing(23, 'folder of the command is not the workspace', 'echo x > f && echo ok', DENIED, { cwd: 'OUT' }),
  ...both(
    24,
    '/tmp',
    'mktemp /tmp/execwire-sandbox-test-XXXXXX > $WS/name 2>/dev/null || mktemp /tmp/execwire-sandbox-test-XXXXXX && rm "$(cat $WS/name)" && echo ok',
    DENIED,
    OK,
  ),
  writing(24, '/tmp excluded', 'mktemp /tmp/execwire-sandbox-test-XXXXXX', DENIED, {
    options: { excludeSlashTmp: true },
  }),
  writing(25, 'folder of the command is /tmp, which is excluded', 'mktemp ./execwire-sandbox-test-XXXXXX', DENIED, {
    cwd: '/tmp',
    options: { excludeSlashTmp: true },
  }),
  ...both(26, '$TMPDIR', 'touch $TMPDIR/n && echo ok', DENIED, OK),
  writing(26, '$TMPDIR excluded', 'touch $TMPDIR/n && echo ok', DENIED, { options: { excludeTmpdirEnvVar: true } }),
  writing(
    27,
    "TMPDIR of the request's environment, not the server's",
    'touch $OUT/n && echo ok; touch $ROOT/n',
    /^1 ok .*(denied|Read-only)/,
    { env: { TMPDIR: 'OUT' } },
  ),
  ...both(28, '/var/tmp', 'touch /var/tmp/execwire-sandbox-test && echo ok', DENIED, DENIED),
  ...both(29, 'mktemp', 'mktemp > /dev/null && echo ok', DENIED, OK),
  ...both(29, 'here-document of bash', "bash -c 'cat <<< ok'", OK, OK, { programs: ['bash'] }),
  ...both(
    30,
    'write to devices',
    'for d in null zero random urandom; do echo x > /dev/$d || echo $d; done; echo x > /dev/full; echo x > /dev/tty',
    /^2 .*(No space left|I.O error).*\/dev\/tty: No such device/,
    /^2 .*(No space left|I.O error).*\/dev\/tty: No such device/,
  ),
  ...both(31, 'create in /dev/shm', 'n=/dev/shm/execwire-sandbox-test-$$; : > $n && rm $n && echo ok', OK, OK),
  ...both(
    32,
    'own output by name',
    'echo 1 > /dev/stdout; echo 2 > /dev/fd/1; echo 3 > /proc/self/fd/1',
    /^0 1 2 3$/,
    /^0 1 2 3$/,
  ),
  ...both(33, 'a terminal inside', 'script -qec "echo in" /dev/null', /^0 in$/, /^0 in$/, { programs: ['script'] }),
  ...both(
    34,
    'other devices',
    'ls /dev > /dev/null && for d in kmsg mem vda sda loop-control; do [ -e /dev/$d ] && head -c1 /dev/$d < /dev/null; done; echo end',
    /^0 (.*(denied|No such device|not permitted).*)?end$/,
    /^0 (.*(denied|No such device|not permitted).*)?end$/,
  ),
  ...both(35, 'write to /proc/self', 'echo 500 > /proc/self/oom_score_adj', DENIED, DENIED),
  ...both(35, 'write to /proc/sys as root', 'echo 1 > /proc/sys/kernel/core_uses_pid', DENIED, DENIED, {
    user: 'root',
  }),
  ...both(
    36,
    'write to /sys',
    'for f in /sys/kernel/uevent_seqnum /sys/power/state /sys/kernel/profiling; do [ -e $f ] && echo 0 > $f; done; echo end',
    /^0 (.*(denied|Read-only).*)?end$/,
    /^0 (.*(denied|Read-only).*)?end$/,
  ),
  ...both(
    37,
    'other processes',
    'ls /proc/$SERVER > /dev/null && for f in environ maps mem; do head -c1 /proc/$SERVER/$f; done',
    /^1 (.*denied.*){3}/,
    /^1 (.*denied.*){3}/,
  ),
  ...both(38, "read root's files", 'head -c1 /etc/passwd > /dev/null && echo ok', OK, OK),
  ...both(
    38,
    "read another user's private file",
    'cat $OUT/private',
    /Permission denied|No such file/,
    /Permission denied|No such file/,
    {
      user: 'root',
    },
  ),
  ...both(39, 'execute a file of the workspace', './program', OK, OK),
  writing(
    39,
    'execute a file of /tmp',
    'p=$(mktemp /tmp/execwire-sandbox-test-XXXXXX) && cp /bin/echo $p && chmod +x $p && $p ok; rm $p',
    OK,
  ),
  ...['.git', '.codex'].map((name) =>
    writing(40, `create and overwrite in ${name}`, `touch ${name}/n && echo x > ${name}/config && echo ok`, READ_ONLY, {
      gap: OK,
    }),
  ),
  { row: 40, what: 'create in .git', policy: 'readOnly', script: 'touch .git/n && echo ok', expect: DENIED },
  writing(41, 'rename .git', perl('rename(".git","gone")'), /busy|Read-only/, { gap: OK }),
  { row: 41, what: 'rename .git', policy: 'readOnly', script: perl('rename(".git","gone")'), expect: DENIED },
  writing(
    42,
    'mkdir of protected folders that are missing',
    'mkdir .agents; mkdir .aws; touch .agents/n .aws/n && echo ok',
    /File exists.*File exists.*(Read-only.*){2}/,
    { gap: OK },
  ),
  {
    row: 42,
    what: 'mkdir .agents',
    policy: 'readOnly',
    script: 'mkdir .agents',
    expect: /denied|Read-only|File exists/,
  },
  writing(43, '.git of a root', 'touch $ROOT/.git/n && echo ok', READ_ONLY, { gap: OK, roots: ['ROOT'] }),
  writing(43, '.git deeper in a root', 'touch $ROOT/deep/.git/n && mkdir sub/.git && echo ok', OK, { roots: ['ROOT'] }),
  ...both(44, 'folder of the command is missing', 'echo ok', /^ENOENT .*cwd/, /^ENOENT .*cwd/, { cwd: 'OUT/missing' }),
  {
    row: 44,
    what: 'folder of the command is missing, on a terminal',
    policy: 'readOnly',
    script: 'echo ok',
    cwd: 'OUT/missing',
    tty: true,
    expect: /^ENOENT .*cwd/,
  },
  ...both(45, 'program is missing', '', /^ENOENT .*program/, /^ENOENT .*program/, { program: '/nope' }),
  ...both(45, 'program is missing, on a terminal', '', /^ENOENT .*program/, /^ENOENT .*program/, {
    program: '/nope',
    tty: true,
  }),
  ...both(45, 'program is not executable', '', /^EACCES .*program/, /^EACCES .*program/, { program: './f' }),
  ...both(46, 'exit code', 'exit 37', /^37 /, /^37 /),
  ...both(46, 'ended by SIGTERM', 'kill $$', /^143 /, /^143 /),
  ...both(46, 'ended by SIGKILL', 'kill -9 $$', /^137 /, /^137 /),
  ...both(
    47,
    'no capabilities, no new privileges, a filter',
    'grep -E "^(CapInh|CapPrm|CapEff|CapBnd|CapAmb|NoNewPrivs|Seccomp):" /proc/self/status | tr -d "\\t\\n"',
    /^0 CapInh:0{16}CapPrm:0{16}CapEff:0{16}CapBnd:[0-9a-f]{16}CapAmb:0{16}NoNewPrivs:1Seccomp:2$/,
    /NoNewPrivs:1Seccomp:2$/,
  ),
  {
    row: 47,
    what: 'bounding set is empty',
    policy: 'readOnly',
    user: 'root',
    script: 'grep CapBnd /proc/self/status',
    expect: /CapBnd:\s+0{16}$/,
  },
  ...both(47, 'descriptors', 'ls /proc/$$/fd', /^0 0 1 2$/, /^0 0 1 2$/),
  ...both(
    48,
    'no signal is ignored or blocked',
    'grep -E "^Sig(Blk|Ign):" /proc/self/status | tr -d "\\t\\n"',
    /^0 SigBlk:0{16}SigIgn:0{16}$/,
    /^0 SigBlk:0{16}SigIgn:0{16}$/,
  ),
  ...both(
    49,
    'setuid programs have no effect',
    'for p in /bin/su /usr/bin/su; do [ -u $p ] && p=$p && break; done; grep NoNewPrivs /proc/self/status',
    /NoNewPrivs:\s+1$/,
    /NoNewPrivs:\s+1$/,
  ),
  ...both(
    50,
    'kill a process outside',
    'kill -0 $SERVER; kill -0 $NEIGHBOUR',
    /^1 .*not permitted.*not permitted/,
    /^1 .*not permitted.*not permitted/,
    { belowAbi: [6, /^0|not permitted/] },
  ),
  ...both(51, 'io_uring_setup', call(425, 1, 'my $p="\\0"x120'), NOT_PERMITTED, NOT_PERMITTED),
  ...both(51, 'mount', 'mount -t tmpfs none sub', /not permitted|denied|superuser/, /not permitted|denied|superuser/),
  ...both(
    51,
    'nice below zero',
    perl('(require POSIX) && POSIX::nice(-1)'),
    /denied|not permitted/,
    /denied|not permitted/,
  ),
  ...both(52, 'ptrace', call(101, 0, 0, 0, 0), NOT_PERMITTED, NOT_PERMITTED),
  ...both(52, 'process_vm_readv', call(310, 'getppid()', 0, 0, 0, 0, 0), NOT_PERMITTED, NOT_PERMITTED),
  {
    row: 52,
    what: 'ptrace with a network',
    policy: 'readOnly',
    network: true,
    script: call(101, 0, 0, 0, 0),
    expect: NOT_PERMITTED,
  },
  ...both(53, 'memfd', call(319, 'my $n="m"', 0), OK, OK),
  ...both(
    54,
    'TCP: connect',
    perl('socket(S,PF_INET,SOCK_STREAM,0) and connect(S,loopback($ENV{PORT}))'),
    NOT_PERMITTED,
    NOT_PERMITTED,
  ),
  ...both(
    54,
    'TCP with a network',
    perl('socket(S,PF_INET,SOCK_STREAM,0) and connect(S,loopback($ENV{PORT}))'),
    OK,
    OK,
    { network: true },
  ),
  ...both(
    54,
    'listen with a network',
    perl('socket(S,PF_INET,SOCK_STREAM,0) and bind(S,loopback(0)) and listen(S,1)'),
    OK,
    OK,
    { network: true },
  ),
  ...['PF_INET', 'PF_INET6', '16', '17', '40', '38'].flatMap((family) =>
    both(55, `socket of family ${family}`, socket(family, '3'), NOT_PERMITTED, NOT_PERMITTED),
  ),
  {
    row: 56,
    what: 'VSOCK with a network',
    policy: 'readOnly',
    network: true,
    script: socket('40'),
    expect: NOT_PERMITTED,
  },
  {
    row: 56,
    what: 'raw socket with a network',
    policy: 'readOnly',
    network: true,
    script: socket('PF_INET', 'SOCK_RAW', 1),
    expect: NOT_PERMITTED,
  },
  ...both(
    57,
    'connect to a Unix socket',
    perl('socket(S,PF_UNIX,SOCK_STREAM,0) and connect(S,unix_at($ENV{SOCKET}))'),
    NOT_PERMITTED,
    NOT_PERMITTED,
  ),
  ...both(
    57,
    'bind an abstract Unix socket',
    perl('socket(S,PF_UNIX,SOCK_STREAM,0) and bind(S,unix_at("\\0execwire-sandbox-test"))'),
    NOT_PERMITTED,
    NOT_PERMITTED,
  ),
  ...both(
    58,
    'connect to a Unix socket with a network',
    perl('socket(S,PF_UNIX,SOCK_STREAM,0) and connect(S,unix_at($ENV{SOCKET}))'),
    OK,
    OK,
    { network: true },
  ),
  ...both(
    58,
    'bind a Unix socket outside with a network',
    perl('socket(S,PF_UNIX,SOCK_STREAM,0) and bind(S,unix_at("$ENV{OUT}/s"))'),
    DENIED,
    DENIED,
    { network: true },
  ),
  ...both(
    59,
    'socketpair and sendmsg',
    perl('socketpair(A,B,PF_UNIX,SOCK_STREAM,0) and syswrite(A,"x") and sysread(B,$x,1)'),
    OK,
    OK,
  ),
  ...both(
    60,
    'send, getsockopt, getpeername and shutdown on a socketpair',
    perl(
      'socketpair(A,B,PF_UNIX,SOCK_STREAM,0) and send(A,"x",0) and getsockopt(A,SOL_SOCKET,SO_TYPE) and getpeername(A) and shutdown(A,1)',
    ),
    OK,
    OK,
  ),
  ...both(
    61,
    'send to a Unix datagram socket with an abstract name',
    perl('socket(S,PF_UNIX,SOCK_DGRAM,0) and send(S,"x",0,unix_at("\\0execwire-sandbox-dgram"))'),
    /not permitted|refused/,
    /not permitted|refused/,
  ),
  ...both(62, 'getaddrinfo of localhost', 'getent hosts localhost > /dev/null && echo ok', OK, OK),
  ...both(62, 'curl', 'curl -s http://127.0.0.1:$PORT/', /^7 /, /^7 /, { programs: ['curl'] }),
  ...both(
    63,
    'subprocess of node',
    `"$NODE" -e 'require("child_process").exec("echo ok",(e,o)=>process.stdout.write(o))'`,
    OK,
    OK,
  ),
  ...PYTHONS.flatMap((python) => [
    ...both(
      63,
      `asyncio and its subprocess, ${python}`,
      `exec ${python} -c 'import asyncio
async def main():
    await asyncio.to_thread(int)
    p = await asyncio.create_subprocess_exec("echo", "ok", stdout=-1)
    print((await p.communicate())[0].decode().strip())
asyncio.run(main())'`,
      OK,
      OK,
      { programs: [python] },
    ),
    ...both(
      63,
      `multiprocessing, ${python}`,
      `exec ${python} -c 'import multiprocessing as m
q = m.Queue(); p = m.Process(target=q.put, args=("ok",)); p.start(); print(q.get()); p.join()'`,
      OK,
      OK,
      { programs: [python] },
    ),
  ]),
  ...both(
    64,
    'terminal: its name, /dev/tty',
    'tty; echo ok > /dev/tty',
    /^0 \/dev\/pts\/\d+ ok$/,
    /^0 \/dev\/pts\/\d+ ok$/,
    { tty: true },
  ),
  ...both(
    65,
    'terminal: its size and settings',
    'stty size; stty raw && stty sane && echo ok',
    /^0 33 77 ok$/,
    /^0 33 77 ok$/,
    { tty: true },
  ),
  ...both(64, 'terminal: Ctrl-C', 'echo up; exec sleep 99', /^130 /, /^130 /, { tty: true, types: [['up', '\x03']] }),
  {
    row: 64,
    what: 'terminal: job control',
    policy: 'workspaceWrite',
    tty: true,
    programs: ['bash'],
    script: "PS1='> ' exec bash --norc -i",
    types: [
      ['> ', 'sleep 99 & jobs\n'],
      ['Running', 'kill %1; exit 5\n'],
    ],
    expect: /^5 (?!.*no job control).*Running/,
  },
];
