/** `execwire completion`: scripts for bash, zsh and fish, made from the tables of commands and flags. */
import type { CliCommand, Flag } from './command.js';
import { describedCommand } from './described-command.js';
import { CliError } from './exit-codes.js';
import { printText } from './out-stream.js';

const SHELLS = { bash: bashScript, zsh: zshScript, fish: fishScript } as const;
/** Commands whose word is the key of a command that is kept, and the command that lists such keys. */
const KEYS_OF: Readonly<Record<string, string>> = {
  attach: 'execwire ls -qa',
  logs: 'execwire ls -qa',
  kill: 'execwire ls -q',
};

/** @param commandsOf all commands, this one included; called when it runs */
export function completionCommand(commandsOf: () => Promise<readonly CliCommand[]>): CliCommand {
  return describedCommand({
    name: 'completion',
    summary: 'Prints the completion for bash, zsh or fish.',
    usage: 'bash|zsh|fish',
    flags: [],
    examples: [
      ['source <(execwire completion bash)', 'Completes in this shell; put the line into ~/.bashrc.'],
      ['execwire completion zsh > ~/.zsh/_execwire', 'Installs it for zsh, where ~/.zsh is in its fpath.'],
      ['execwire completion fish > ~/.config/fish/completions/execwire.fish', 'Installs it for fish.'],
    ],
    maxWords: 1,
    async run({ words: [word = ''] }) {
      if (!Object.hasOwn(SHELLS, word)) throw new CliError('completion needs the name of a shell: bash, zsh or fish');
      await printText(SHELLS[word as keyof typeof SHELLS](await commandsOf()));
      return 0;
    },
  });
}

function wordsOf({ flags }: CliCommand): string {
  return flags.flatMap(({ name, short }) => [`--${name}`, ...(short === undefined ? [] : [`-${short}`])]).join(' ');
}

/** The values of a flag that takes one of a few. */
function valuesOf({ placeholder = '' }: Flag): readonly string[] {
  return placeholder.includes('|') ? placeholder.split('|') : [];
}

/** What each flag with a few values takes, as branches of a `case` over `COMMAND:--FLAG`. */
function valueCases(commands: readonly CliCommand[], complete: (values: string) => string): string {
  const cases = commands.flatMap((command) =>
    command.flags
      .filter((flag) => valuesOf(flag).length > 0)
      .map((flag) => `    ${command.name}:--${flag.name}) ${complete(valuesOf(flag).join(' '))}; return ;;`),
  );
  return cases.join('\n');
}

/** A text in single quotes; bash, zsh and fish read it alike. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

function bashScript(commands: readonly CliCommand[]): string {
  const cases = commands.map((command) => `    ${command.name}) flags=${quoted(wordsOf(command))} ;;`);
  return `# Completion of execwire for bash.
_execwire() {
  local word=\${COMP_WORDS[COMP_CWORD]} before=\${COMP_WORDS[COMP_CWORD - 1]} command=\${COMP_WORDS[1]} flags=
  COMPREPLY=()
  if [ "$COMP_CWORD" -eq 1 ]; then
    COMPREPLY=($(compgen -W ${quoted([...commands.map(({ name }) => name), 'help'].join(' '))} -- "$word"))
    return
  fi
  case $command:$before in
${valueCases(commands, (values) => `COMPREPLY=($(compgen -W ${quoted(values)} -- "$word"))`)}
  esac
  case $command in
${cases.join('\n')}
  esac
  case $command:$word in
    *:-*) COMPREPLY=($(compgen -W "$flags" -- "$word")) ;;
${Object.entries(KEYS_OF)
  .map(([name, list]) => `    ${name}:*) COMPREPLY=($(compgen -W "$(${list} 2>/dev/null)" -- "$word")) ;;`)
  .join('\n')}
    completion:*) COMPREPLY=($(compgen -W '${Object.keys(SHELLS).join(' ')}' -- "$word")) ;;
    *) COMPREPLY=($(compgen -f -- "$word")) ;;
  esac
}
complete -F _execwire execwire
`;
}

function zshScript(commands: readonly CliCommand[]): string {
  const described = commands.map(({ name, summary }) => `    ${quoted(`${name}:${summary}`)}`);
  const cases = commands.map((command) => `    ${command.name}) compadd -- ${wordsOf(command)} ;;`);
  return `#compdef execwire
# Completion of execwire for zsh.
_execwire() {
  local -a commands
  commands=(
${described.join('\n')}
  )
  if (( CURRENT == 2 )); then
    _describe command commands
    return
  fi
  case $words[2]:$words[CURRENT-1] in
${valueCases(commands, (values) => `compadd -- ${values}`)}
  esac
  if [[ $PREFIX != -* ]]; then
    case $words[2] in
${Object.entries(KEYS_OF)
  .map(([name, list]) => `      ${name}) compadd -- \${(f)"$(${list} 2>/dev/null)"}; return ;;`)
  .join('\n')}
      completion) compadd -- ${Object.keys(SHELLS).join(' ')}; return ;;
    esac
    _files
    return
  fi
  case $words[2] in
${cases.join('\n')}
  esac
}
if [ "$funcstack[1]" = _execwire ]; then _execwire "$@"; else compdef _execwire execwire; fi
`;
}

function fishScript(commands: readonly CliCommand[]): string {
  const lines = commands.flatMap(({ name, summary, flags }) => [
    `complete -c execwire -n __fish_use_subcommand -f -a ${name} -d ${quoted(summary)}`,
    ...flags.map((flag) => fishFlag(name, flag)),
  ]);
  const keys = Object.entries(KEYS_OF).map(
    ([name, list]) => `complete -c execwire -n '__fish_seen_subcommand_from ${name}' -f -a '(${list} 2>/dev/null)'`,
  );
  return `# Completion of execwire for fish.\n${[...lines, ...keys].join('\n')}\n`;
}

function fishFlag(command: string, flag: Flag): string {
  const { name, short, placeholder, description } = flag;
  const values = valuesOf(flag);
  const letter = short === undefined ? '' : ` -s ${short}`;
  const takesValue = placeholder === undefined ? '' : ' -r';
  const value = values.length === 0 ? takesValue : ` -x -a ${quoted(values.join(' '))}`;
  return `complete -c execwire -n '__fish_seen_subcommand_from ${command}' -l ${name}${letter}${value} -d ${quoted(description.replaceAll('\n', ' '))}`;
}
