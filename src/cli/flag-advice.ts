/** What to write in place of a flag that a command does not have: the most similar one, or what does the same here as elsewhere. Knows no table of flags. */
import { nearestWord } from '../../client/src/nearest.js';

/** Flags that people know from docker, ssh and kill, by the command here. `$&` stands for the flag without its dashes. */
const ELSEWHERE: readonly (readonly [commands: RegExp, flag: RegExp, advice: string])[] = [
  [/^exec$/, /^--rm$/, 'leave it out, because nothing stays behind'],
  [/^(exec|shell)$/, /^--name$/, 'did you mean `--key`?'],
  [/^serve$/, /^--token$/, 'did you mean `--ws-token-file`?'],
  [/./, /^--token$/, '`--token-file FILE` or EXECWIRE_TOKEN has the token'],
  [/^kill$/, /^-(\d+|[A-Z]\w*)$/, 'did you mean `-s $&`?'],
  [/^cp$/, /^(-[rRa]|--recursive|--archive)$/, 'leave it out, because folders are copied whole'],
  [/^serve$/, /^(-p|--port|--host|--bind)$/, 'did you mean `--listen ws://HOST:PORT`?'],
];

/** A part of the message about an unknown flag, with a space in front; empty where there is no advice. @param known with their dashes */
export function flagAdvice(command: string, flag: string, known: readonly string[]): string {
  const row = ELSEWHERE.find(([commands, flags]) => commands.test(command) && flags.test(flag));
  if (row !== undefined) {
    const advice = row[2].replace('$&', flag.replace(/^-+/, ''));
    return ` ${advice}${advice.endsWith('?') ? '' : ';'}`;
  }
  const nearest = flag.startsWith('--')
    ? nearestWord(
        flag,
        known.filter((each) => each.startsWith('--')),
      )
    : undefined;
  return nearest === undefined ? '' : ` did you mean \`${nearest}\`?`;
}
