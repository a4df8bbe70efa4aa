/**
 * The shell program that outlives the server by a moment: it learns pids over its standard input and kills what is left of them when
 * the server is gone. POSIX shell with builtins only, but for `grep` and `sleep`; dash and bash run it.
 */

/** Looks before it gives up: with the pauses between them about 1.5 s, within the 2 s that are promised. */
const MAX_LOOKS = 30;
/** Pause between two looks in seconds. A shell whose `sleep` knows no fractions goes on at once. */
const PAUSE_SECONDS = '0.03';
/** Looks that must find nobody before it is over: a fork may have been in flight during one. */
const CLEAN_LOOKS = 2;

/**
 * Arguments: $1 is the text by which /proc/PID/environ names a process of this server.
 *
 * Input lines: `+PID` a command's leader, `-PID` it is over, `.` the server ends in good order and needs nobody killed.
 * A leader's pid stands for its group and session as well. Kin is followed by parent, group and session until a pass adds nobody.
 */
export const GUARDIAN_SCRIPT = `
trap '' HUP INT QUIT TERM PIPE USR1 USR2 ALRM TSTP TTIN TTOU
cd /
ids=' '
while read -r line; do
  case $line in
    +*) ids="$ids\${line#+} " ;;
    -*) old=\${line#-}
      case $ids in *" $old "*) ids="\${ids%%" $old "*} \${ids#*" $old "}" ;; esac ;;
    .) exit 0 ;;
  esac
done
marked() {
  for file in $(grep -l -s -F -e "$1" /proc/[0-9]*/environ); do
    pid=\${file#/proc/}
    add "\${pid%/environ}"
  done
}
add() {
  [ "$1" -gt 1 ] && [ "$1" -ne $$ ] || return 0
  case $ids in *" $1 "*) ;; *) ids="$ids$1 "; grown=1 ;; esac
}
scan() {
  grown=0
  found=' '
  for dir in /proc/[0-9]*; do
    { IFS= read -r stat && until case $stat in *') '[A-Za-z]' '[0-9-]*) true ;; *) false ;; esac; do
      IFS= read -r more || break
      stat="$stat $more"
    done; } <"$dir/stat" || continue
    set -- \${stat##*') '}
    case $1 in Z | X) continue ;; esac
    pid=\${dir#/proc/}
    case $ids in
      *" $pid "* | *" $2 "* | *" $3 "* | *" $4 "*)
        [ "$pid" -gt 1 ] && [ "$pid" -ne $$ ] || continue
        add "$pid"; found="$found$pid " ;;
    esac
  done
}
look=0
clean=0
while [ $look -lt ${MAX_LOOKS} ] && [ $clean -lt ${CLEAN_LOOKS} ]; do
  look=$((look + 1))
  marked "$1"
  passes=0
  scan
  while [ $grown -eq 1 ] && [ $passes -lt 4 ]; do passes=$((passes + 1)); scan; done
  if [ "$found" = ' ' ]; then clean=$((clean + 1)); else clean=0; fi
  for pid in $found; do kill -KILL "$pid"; done
  [ $look -lt 3 ] || sleep ${PAUSE_SECONDS}
done
exit 0
`;
