/** Starts processes in control groups of their own where there are some. It knows neither how a process is started nor what is done with a group. */
import type { CommandCgroups } from './command-cgroups.js';
import { MARKER_VARIABLE } from './environment.js';
import type { OsProcess, ProcessEvents, ProcessSpec, StartProcess } from './os-process.js';

/**
 * A `StartProcess` whose processes get the control groups of their marks, which are removed after `dispose`.
 * @param find finds out, once, whether there are control groups for commands. Until it has, starts wait for it.
 */
export function groupedStart(start: StartProcess, find: () => Promise<CommandCgroups | undefined>): StartProcess {
  let isKnown = false;
  let cgroups: CommandCgroups | undefined;
  return async (spec, events) => {
    if (!isKnown) {
      cgroups = await find();
      isKnown = true;
    }
    const mark = spec.env[MARKER_VARIABLE];
    return cgroups === undefined || typeof mark !== 'string'
      ? start(spec, events)
      : startInGroup(start, { spec, events, cgroups, mark });
  };
}

interface GroupedStart {
  readonly spec: ProcessSpec;
  readonly events: ProcessEvents;
  readonly cgroups: CommandCgroups;
  readonly mark: string;
}

async function startInGroup(start: StartProcess, given: GroupedStart): Promise<OsProcess> {
  const { spec, events, cgroups, mark } = given;
  // A thread with another user's rights on files may not put a child into a group of the server's.
  const group = cgroups.entersAtStart && spec.runAs === undefined ? await cgroups.open(mark) : undefined;
  let isOutside = group === undefined;
  const onRefused = (): void => {
    isOutside = true;
    cgroups.refusedAtStart();
  };
  let started: OsProcess;
  try {
    started = await start(
      group === undefined ? spec : { ...spec, cgroup: { descriptor: group.descriptor, onRefused } },
      events,
    );
  } catch (error) {
    cgroups.over(mark);
    throw error;
  } finally {
    group?.close();
  }
  if (isOutside) cgroups.takeLater(mark, started.pid);
  const dispose = started.dispose.bind(started);
  let isDisposed = false;
  started.dispose = () => {
    dispose();
    if (!isDisposed) cgroups.over(mark);
    isDisposed = true;
  };
  return started;
}
