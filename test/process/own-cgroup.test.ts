// Shows by which facts a server finds a control group that it may divide. No real group is looked at.
import t from 'tap';
import { type CgroupSources, findOwnCgroup } from '../../src/process/own-cgroup.js';

const PLACE = '/sys/fs/cgroup';
const MOUNT = `31 23 0:28 / ${PLACE} rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate\n`;
const UNIT = '/system.slice/execwire.service';
const FILES = ['cgroup.type', 'cgroup.kill'];

interface Host {
  readonly path?: string;
  readonly cgroup?: string;
  readonly mounts?: string;
  readonly refusal?: string;
  readonly mark?: string;
  readonly userId?: number;
  readonly files?: readonly string[];
}

function find({ path = UNIT, cgroup = `0::${path}\n`, mounts = MOUNT, files = FILES, ...host }: Host): unknown {
  const sources: CgroupSources = {
    read: (file) => (file === '/proc/self/cgroup' ? cgroup : file === '/proc/self/mountinfo' ? mounts : undefined),
    exists: (file) => files.some((name) => file.endsWith(`/${name}`)),
    writeRefusal: () => host.refusal,
    attributeOf: (_, name) => (name === host.mark ? '1' : undefined),
    userId: host.userId ?? 1000,
  };
  return findOwnCgroup(sources);
}

t.test('a folder that the server may write is its own when the server is not root', async (t) => {
  t.same(find({}), { folder: `${PLACE}${UNIT}` });
  t.same(find({ refusal: 'EROFS' }), { absence: 'readOnly' });
  t.same(find({ refusal: 'EACCES' }), { absence: 'notWritable' });
  t.same(find({ files: ['cgroup.type'] }), { absence: 'oldKernel' });
});

t.test('root needs a mark of systemd, or the top of a namespace', async (t) => {
  t.same(find({ userId: 0 }), { absence: 'notDelegated' });
  for (const mark of ['user.delegate', 'trusted.delegate']) {
    t.same(find({ userId: 0, mark }), { folder: `${PLACE}${UNIT}` }, mark);
  }
  t.same(find({ userId: 0, path: '/' }), { folder: PLACE });
  t.same(find({ userId: 0, path: '/', files: ['cgroup.kill'] }), { absence: 'notDelegated' }, 'the top of the host');
});

t.test('the group is looked for where it is mounted', async (t) => {
  t.same(find({ cgroup: '' }), { absence: 'notMounted' });
  t.same(find({ cgroup: '3:memory:/a\n' }), { absence: 'notMounted' }, 'version 1 only');
  t.same(find({ mounts: MOUNT.replaceAll('cgroup2', 'cgroup') }), { absence: 'notMounted' });
  const hybrid = `${MOUNT.replaceAll('cgroup2', 'cgroup')}41 31 0:38 / ${PLACE}/unified rw - cgroup2 cgroup2 rw\n`;
  t.same(find({ mounts: hybrid, cgroup: `4:memory:/a\n0::${UNIT}\n` }), { folder: `${PLACE}/unified${UNIT}` });
  t.same(find({ mounts: MOUNT.replace(' / ', ' /system.slice ') }), { folder: `${PLACE}/execwire.service` });
  t.same(find({ mounts: MOUNT.replace(' / ', ' /system ') }), { absence: 'notMounted' }, 'of another group');
  t.same(find({ mounts: MOUNT.replace(PLACE, '/a\\040b') }), { folder: `/a b${UNIT}` });
});
