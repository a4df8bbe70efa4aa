/** The command that opens the user's own shell on the server, and how lists show it. Knows no terminal. */

/** First line of the script, by which lists recognise it. */
const MARK = '# execwire shell\n';
/** The shell of the account, else of the environment, else the first that is there. */
const SCRIPT = `${MARK}entry=$(getent passwd "$(id -u)" 2>/dev/null)
for shell in "\${entry##*:}" "$SHELL" /bin/bash /bin/sh; do
  case $shell in */nologin | */false | '') continue ;; esac
  [ -x "$shell" ] && exec "$shell"
done
exec sh`;

export const OWN_SHELL: readonly string[] = ['sh', '-c', SCRIPT];

/** Whether `execwire shell` has started it. */
export function isOwnShell([program, flag, script]: readonly string[]): boolean {
  return program === 'sh' && flag === '-c' && script?.startsWith(MARK) === true;
}
