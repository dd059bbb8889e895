/**
 * `completion bash|zsh|fish|powershell`: prints a script that asks the program itself (complete.ts)
 * on every tab. The scripts are our own and shorter than cobra's; what they offer is the same.
 */
import type { CommandSpec } from "./command.ts";

type Script = (name: string, fn: string) => string;

/** Answers: offers one per line, a description behind a tab; the last line is `:directive`. */
const bash: Script = (name, fn) => `# bash completion for ${name}
_${fn}() {
  local cur="\${COMP_WORDS[COMP_CWORD]}" out line directive
  out=$("\${COMP_WORDS[0]}" __completeNoDesc "\${COMP_WORDS[@]:1:COMP_CWORD-1}" "$cur" 2>/dev/null)
  directive=\${out##*:}
  COMPREPLY=()
  while IFS= read -r line; do
    [[ $line == :* || -z $line || $line != "$cur"* ]] || COMPREPLY+=("$line")
  done <<<"$out"
  if ((directive & 16)); then
    while IFS= read -r line; do COMPREPLY+=("$line"); done < <(compgen -d -- "$cur")
  elif ((\${#COMPREPLY[@]} == 0 && !(directive & 4))); then
    while IFS= read -r line; do COMPREPLY+=("$line"); done < <(compgen -f -- "$cur")
  fi
}
complete -o filenames -F _${fn} ${name}
`;

const zsh: Script = (name, fn) => `#compdef ${name}
_${fn}() {
  local -a offers
  local line directive=0
  for line in "\${(@f)$("\${words[1]}" __complete "\${(@)words[2,CURRENT]}" 2>/dev/null)}"; do
    case $line in
      :*) directive=\${line#:} ;;
      *$'\\t'*) offers+=("\${\${line%%$'\\t'*}//:/\\\\:}:\${line#*$'\\t'}") ;;
      ?*) offers+=("\${line//:/\\\\:}") ;;
    esac
  done
  if ((directive & 16)); then
    _files -/
  elif ((\${#offers})); then
    _describe -V ${name} offers
  elif ((!(directive & 4))); then
    _files
  fi
}
if [ "\${funcstack[1]}" = "_${fn}" ]; then _${fn}; else compdef _${fn} ${name}; fi
`;

const fish: Script = (name, fn) => `# fish completion for ${name}
function __${fn}_complete
  set -l words (commandline -opc)
  set -l begun (commandline -ct)
  set -l out ($words[1] __complete $words[2..-1] "$begun" 2>/dev/null)
  set -l directive (string replace ":" "" -- $out[-1])
  set -e out[-1]
  if test (math "bitand($directive, 16)") -ne 0
    __fish_complete_directories "$begun"
  else if test (count $out) -gt 0
    printf "%s\\n" $out
  else if test (math "bitand($directive, 4)") -eq 0
    __fish_complete_path "$begun"
  end
end
complete -c ${name} -f -a "(__${fn}_complete)"
`;

const powershell: Script = (name) => `# powershell completion for ${name}
Register-ArgumentCompleter -Native -CommandName '${name}' -ScriptBlock {
  param($begun, $ast, $cursor)
  $words = @($ast.CommandElements | ForEach-Object { $_.Extent.Text })
  $before = @($words | Select-Object -Skip 1)
  if ($begun -ne '' -and $before.Count -gt 0) { $before = @($before | Select-Object -SkipLast 1) }
  & $words[0] __complete @before "$begun" 2>$null |
    Where-Object { -not $_.StartsWith(':') } |
    ForEach-Object {
      $offer, $about = $_ -split "\`t", 2
      if (-not $about) { $about = $offer }
      [System.Management.Automation.CompletionResult]::new($offer, $offer, 'ParameterValue', $about)
    }
}
`;

const scripts: Readonly<Record<string, Script>> = { bash, zsh, fish, powershell };

/** The script of a shell; undefined for one that is not known. @forTests */
export function completionScript(shell: string, name: string): string | undefined {
  return scripts[shell]?.(name, name.replace(/[^a-zA-Z0-9]/g, "_"));
}

/** The command; `long` is what help says before the usage. */
export function completionCommand<Context>(name: string, long?: string): CommandSpec<Context> {
  const shells = Object.keys(scripts);
  return {
    use: `completion [${shells.join("|")}]`,
    short: "Generate completion script",
    ...(long === undefined ? {} : { long }),
    isUseComplete: true,
    validArgs: shells,
    args: { min: 1, max: 1, isOnlyValid: true },
    run: ({ args, output }) => output.out(completionScript(args[0]!, name)!),
  };
}
