/** Whether a line for a shell starts something in the background that it does not wait for. Knows no command that runs. */

/** What hides an ampersand: quoted text, an escaped character, a comment. */
const HIDDEN = /'[^']*'|"(?:\\[\s\S]|[^"\\])*"|\\[\s\S]|(?:^|(?<=\s))#.*/g;
/** An ampersand alone: not && and no part of a redirection or of a pipe, such as 2>&1, &> and |&. */
const ALONE = /(?<![&<>|])&(?![&>])/;
const WAITS = /(?:^|[\s;&|(])wait(?:$|[\s;&|)])/;

/** A guess from the text alone: shells are not understood here, and the agent is only told what holds for every background process. */
export function leavesBackground(line: string): boolean {
  const plain = line.replace(HIDDEN, ' ');
  return ALONE.test(plain) && !WAITS.test(plain);
}
