/** `execwire completion`: scripts for bash, zsh and fish, made from the tables of commands and flags. */
import { constants } from 'node:os';
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
  return flags.flatMap(({ name, short }) => flagWords(name, short)).join(' ');
}

function flagWords(name: string, short: string | undefined): readonly string[] {
  return [`--${name}`, ...(short === undefined ? [] : [`-${short}`])];
}

/** What a command line without a command may begin with. */
function firstFlags(commands: readonly CliCommand[]): string {
  const serve = commands.find(({ name }) => name === 'serve');
  return ['--help', '--version', ...(serve === undefined ? [] : [wordsOf(serve)])].join(' ');
}

/** The values of a flag that takes one of a few. */
function valuesOf({ placeholder = '' }: Flag): readonly string[] {
  if (placeholder === 'SIGNAL') return Object.keys(constants.signals).map((signal) => signal.slice('SIG'.length));
  return placeholder.includes('|') ? placeholder.split('|') : [];
}

/** What each flag with a few values takes, as branches of a `case` over `COMMAND:--FLAG`. */
function valueCases(commands: readonly CliCommand[], complete: (values: string) => string): string {
  const cases = commands.flatMap((command) =>
    command.flags
      .filter((flag) => valuesOf(flag).length > 0)
      .map((flag) => `    ${flagCase(command, flag)}) ${complete(valuesOf(flag).join(' '))}; return ;;`),
  );
  return cases.join('\n');
}

function flagCase(command: CliCommand, { name, short }: Flag): string {
  return flagWords(name, short)
    .map((word) => `${command.name}:${word}`)
    .join('|');
}

/** A text in single quotes; bash, zsh and fish read it alike. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

/** The flags of a command that take a value, as a pattern of a `case`. `%` is no flag, so that the pattern is never empty. */
function valuedPattern({ flags }: CliCommand): string {
  const valued = flags.filter(({ placeholder }) => placeholder !== undefined);
  return ['%', ...valued.flatMap(({ name, short }) => flagWords(name, short))].join('|');
}

/**
 * A loop that sets `behind` where the word to complete stands behind `--`, or behind the first word that is no flag and no value of one: there
 * execwire reads no flags. `serve` has no words.
 */
function behindLoop(commands: readonly CliCommand[], { first, last, words }: Readonly<Record<string, string>>): string {
  const cases = commands.map((command) => `      ${command.name}) valued=${quoted(valuedPattern(command))} ;;`);
  return `  local behind= skip= valued= i
  case $command in
${cases.join('\n')}
  esac
  for ((i = ${first}; i < ${last}; i++)); do
    if [[ -n $skip ]]; then skip=; continue; fi
    case ${words} in
      --) behind=1; break ;;
      -*) [[ "|$valued|" == *"|${words}|"* ]] && skip=1 ;;
      *) behind=1; break ;;
    esac
  done
`;
}

function bashScript(commands: readonly CliCommand[]): string {
  const cases = commands.map((command) => `    ${command.name}) flags=${quoted(wordsOf(command))} ;;`);
  const names = [...commands.map(({ name }) => name), 'help'].join(' ');
  return `# Completion of execwire for bash.
_execwire() {
  local word=\${COMP_WORDS[COMP_CWORD]} before=\${COMP_WORDS[COMP_CWORD - 1]} command=\${COMP_WORDS[1]} flags=
  COMPREPLY=()
  if [ "$COMP_CWORD" -eq 1 ]; then
    case $word in
      -*) COMPREPLY=($(compgen -W ${quoted(firstFlags(commands))} -- "$word")) ;;
      *) COMPREPLY=($(compgen -W ${quoted(names)} -- "$word")) ;;
    esac
    return
  fi
  case $command in
    help)
      [ "$COMP_CWORD" -eq 2 ] && COMPREPLY=($(compgen -W ${quoted(names)} -- "$word"))
      return ;;
    -*) command=serve ;;
  esac
${behindLoop(commands, { first: '2', last: 'COMP_CWORD', words: `\${COMP_WORDS[i]}` })}  if [[ -z $behind ]]; then
    case $command:$before in
${valueCases(commands, (values) => `COMPREPLY=($(compgen -W ${quoted(values)} -- "$word"))`)}
    esac
    case $command in
${cases.join('\n')}
    esac
    if [[ -z $skip && $word == -* ]]; then
      COMPREPLY=($(compgen -W "$flags" -- "$word"))
      return
    fi
  fi
  [[ -n $skip ]] && command=
  case $command in
${Object.entries(KEYS_OF)
  .map(([name, list]) => `    ${name}) COMPREPLY=($(compgen -W "$(${list} 2>/dev/null)" -- "$word")) ;;`)
  .join('\n')}
    completion) COMPREPLY=($(compgen -W '${Object.keys(SHELLS).join(' ')}' -- "$word")) ;;
    *) COMPREPLY=($(compgen -f -- "$word")) ;;
  esac
}
complete -o filenames -F _execwire execwire
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
  local command=$words[2]
  if (( CURRENT == 2 )); then
    if [[ $PREFIX == -* ]]; then compadd -- ${firstFlags(commands)}; else _describe command commands; fi
    return
  fi
  case $command in
    help) (( CURRENT == 3 )) && _describe command commands; return ;;
    -*) command=serve ;;
  esac
${behindLoop(commands, { first: '3', last: 'CURRENT', words: '$words[i]' })}  if [[ -z $behind ]]; then
    case $command:$words[CURRENT-1] in
${valueCases(commands, (values) => `compadd -- ${values}`)}
    esac
    if [[ -z $skip && $PREFIX == -* ]]; then
      case $command in
${cases.join('\n')}
      esac
      return
    fi
  fi
  [[ -n $skip ]] && command=
  case $command in
${Object.entries(KEYS_OF)
  .map(([name, list]) => `    ${name}) compadd -- \${(f)"$(${list} 2>/dev/null)"}; return ;;`)
  .join('\n')}
    completion) compadd -- ${Object.keys(SHELLS).join(' ')}; return ;;
  esac
  _files
}
if [ "$funcstack[1]" = _execwire ]; then _execwire "$@"; else compdef _execwire execwire; fi
`;
}

/**
 * Whether the flags and words of a command belong at the cursor: the first argument is the command, the rest are its flags that take a value. Behind `--`, or
 * behind the first word that is no flag and no value of one, execwire reads none.
 */
const FISH_CONDITION = `function __execwire_in
  set -l words (commandline -opc)
  test "$words[2]" = "$argv[1]"; or return 1
  set -e words[1..2]
  set -l skip
  for word in $words
    if set -q skip[1]
      set skip
      continue
    end
    switch $word
      case --
        return 1
      case '-*'
        contains -- $word $argv[2..-1]; and set skip yes
      case '*'
        return 1
    end
  end
  return 0
end`;

function fishScript(commands: readonly CliCommand[]): string {
  const lines = commands.flatMap((command) => [
    `complete -c execwire -n __fish_use_subcommand -f -a ${command.name} -d ${quoted(command.summary)}`,
    ...command.flags.map((flag) => fishFlag(command, flag)),
  ]);
  const keys = commands
    .filter(({ name }) => name in KEYS_OF)
    .map(
      (command) => `complete -c execwire -n ${fishCondition(command)} -f -a '(${KEYS_OF[command.name]} 2>/dev/null)'`,
    );
  const help = `complete -c execwire -n '__fish_seen_subcommand_from help' -f -a ${quoted(commands.map(({ name }) => name).join(' '))}`;
  const first = "complete -c execwire -n __fish_use_subcommand -f -a help -d 'Shows the help of a command.'";
  return `# Completion of execwire for fish.\n${[FISH_CONDITION, ...lines, ...keys, first, help].join('\n')}\n`;
}

function fishCondition({ name, flags }: CliCommand): string {
  const valued = flags.filter(({ placeholder }) => placeholder !== undefined);
  return quoted(
    ['__execwire_in', name, ...valued.flatMap(({ name: long, short }) => flagWords(long, short))].join(' '),
  );
}

function fishFlag(command: CliCommand, flag: Flag): string {
  const { name, short, placeholder, description } = flag;
  const values = valuesOf(flag);
  const letter = short === undefined ? '' : ` -s ${short}`;
  const takesValue = placeholder === undefined ? '' : ' -r';
  const value = values.length === 0 ? takesValue : ` -x -a ${quoted(values.join(' '))}`;
  return `complete -c execwire -n ${fishCondition(command)} -l ${name}${letter}${value} -d ${quoted(description.replaceAll('\n', ' '))}`;
}
