/**
 * The shell program that outlives the server by a moment. It learns pids over its standard input, and kills the rest of those commands when the
 * server is gone. A POSIX shell with builtins, `grep` and `sleep`; dash, bash and busybox run it.
 */

/** Looks before it gives up: with their pauses about 1.5 s, within the promised 2 s. */
const MAX_LOOKS = 30;
/** Pause between two looks in seconds. If `sleep` knows no fractions, the shell goes on at once. */
const PAUSE_SECONDS = '0.03';
/** Looks in a row that must find nothing before it ends, because a process may have forked during one. */
const CLEAN_LOOKS = 2;
/** Passes of one look. Each follows the relatives of the processes that the pass before has found and stopped. */
const MAX_PASSES = 6;

/**
 * Arguments: $1 is the text by which /proc/PID/environ names a process of this server; $2 the folder of the control groups of its commands, if there is
 * one. It is removed at the end; what cannot be removed is left to the next server.
 *
 * Input lines: `+PID START` is a command's leader with its start time as in /proc/PID/stat (0: unknown), `-PID` says that it is over.
 * A leader's pid is also the number of its group and session. It counts only while no other process has the number: no process with another start
 * time, and no member that is older than the leader was. Every look begins with the leaders and forgets those without any process left, because their
 * numbers are free.
 *
 * A found process is stopped at once, so that it cannot end and give its number away before the look is over and it is killed.
 */
export const GUARDIAN_SCRIPT = `
trap '' HUP INT QUIT TERM PIPE USR1 USR2 ALRM TSTP TTIN TTOU
cd /
leaders=' '
while read -r line; do
  case $line in
    +*) line=\${line#+}; leaders="$leaders\${line% *}:\${line#* } " ;;
    -*) old=\${line#-}
      case $leaders in *" $old:"*) rest=\${leaders#*" $old:"}; leaders="\${leaders%%" $old:"*} \${rest#* }" ;; esac ;;
  esac
done
[ -z "$2" ] || echo 1 >"$2/cgroup.kill"
read -r self rest </proc/self/stat
if [ "$self" != $$ ]; then
  for leader in $leaders; do kill -KILL "-\${leader%:*}"; kill -KILL "\${leader%:*}"; done
  exit 0
fi
# Sets state, parent, group, session, threads and start of the process in directory $1. Its name may hold any character, line ends too.
stat() {
  { IFS= read -r stat && until case $stat in *') '[A-Za-z]' '[0-9-]*) true ;; *) false ;; esac; do
    IFS= read -r more || break
    stat="$stat $more"
  done; } <"$1/stat" || return 1
  set -- \${stat##*') '}
  state=$1 parent=$2 group=$3 session=$4 threads=\${18} start=\${20}
}
# Numbers of leaders that no other process has.
verify() {
  known=' '
  for leader in $leaders; do
    pid=\${leader%:*}
    if stat "/proc/$pid" && [ "\${leader#*:}" -ne 0 ] && [ "\${leader#*:}" -ne "$start" ]; then continue; fi
    known="$known$leader "
  done
  leaders=$known
}
marked() {
  for file in $(grep -l -s -F -e "$1" /proc/[0-9]*/environ); do
    pid=\${file#/proc/}
    ids="$ids\${pid%/environ} "
  done
}
is_leader() {
  case $leaders in *" $pid:$start "*) met="$met$pid:$start " ;; *" $pid:0 "*) met="$met$pid:0 " ;; *) return 1 ;; esac
}
# Whether number $1 is a leader's, and the process with this start time may belong to that leader.
led() {
  case $leaders in *" $1:"*) ;; *) return 1 ;; esac
  first=\${leaders#*" $1:"}; first=\${first%% *}
  [ "$start" -ge "$first" ] || return 1
  case $met in *" $1:$first "*) ;; *) met="$met$1:$first " ;; esac
}
scan() {
  grown=0
  for dir in /proc/[0-9]*; do
    pid=\${dir#/proc/}
    case $found in *" $pid "*) continue ;; esac
    stat "$dir" || continue
    case $state in Z | X) [ "$threads" -gt 1 ] || continue ;; esac
    [ "$pid" -gt 1 ] && [ "$pid" -ne $$ ] || continue
    if is_leader || led "$group" || led "$session"; then :; else
      case $ids in
        *" $pid "* | *" $parent "* | *" $group "* | *" $session "*) ;;
        # Its main thread has ended, and its environment cannot be read through it any more.
        *) [ "$state" = Z ] && grep -q -s -F -e "$1" "$dir"/task/*/environ || continue ;;
      esac
    fi
    kill -STOP "$pid"
    ids="$ids$pid "; found="$found$pid "; grown=1
  done
}
look=0
clean=0
while [ $look -lt ${MAX_LOOKS} ] && [ $clean -lt ${CLEAN_LOOKS} ]; do
  look=$((look + 1))
  ids=' ' met=' ' found=' '
  verify
  marked "$1"
  passes=0
  scan "$1"
  while [ $grown -eq 1 ] && [ $passes -lt ${MAX_PASSES} ]; do passes=$((passes + 1)); scan "$1"; done
  leaders=$met
  if [ "$found" = ' ' ]; then clean=$((clean + 1)); else clean=0; fi
  for pid in $found; do kill -KILL "$pid"; done
  [ $look -lt 3 ] || sleep ${PAUSE_SECONDS}
done
[ -z "$2" ] || rmdir "$2"/*/ "$2"
exit 0
`;
