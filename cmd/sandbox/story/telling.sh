# How story.sh tells its story: steps, the commands that are run, what comes back, and
# the first thing that ends wrong. It is sourced, not run.

bold='' faint='' green='' red='' plain=''
if [ -t 1 ] && [ -z "${NO_COLOR:-}" ]; then
	bold=$'\e[1m' faint=$'\e[2m' green=$'\e[32m' red=$'\e[31m' plain=$'\e[0m'
fi

steps=0 checks=0 title='before the first step'
said=''      # by the command called last
shortened='' # variables whose values are long, and shown by their names
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
exec 3>&1 # what is printed, also by a command whose output is taken

# step begins a part of the story.
step() {
	steps=$((steps + 1)) title=$*
	printf '\n%s%2d  %s%s\n' "$bold" "$steps" "$title" "$plain" >&3
}

# say tells what came back, line by line.
say() { printf '%s\n' "$*" | sed '/^$/d; s/^/    /' >&3; }

# wrong ends the story.
wrong() {
	printf '%sstory: step %d (%s): %s%s\n' "$red" "$steps" "$title" "$*" "$plain" >&2
	exit 1
}

right() {
	checks=$((checks + 1))
	printf '    %s✓ %s%s\n' "$green" "$*" "$plain" >&3
}

# short has long ids by the names that they were given.
short() {
	local text=$* long
	for long in $shortened; do
		text=${text//"${!long}"/"<$long>"}
	done
	printf '%s' "$text"
}

# typed is a command as one would type it.
typed() {
	local word line=''
	for word in "$@"; do
		case $word in
		*[!A-Za-z0-9_./:=@+,-]* | '') line="$line '$word'" ;;
		*) line="$line $word" ;;
		esac
	done
	short "${line# }"
}

# ask has the AWS CLI do something, shows what, and gives the answer. It must succeed.
ask() {
	printf '    %s$ %s%s\n' "$faint" "$(typed aws "$@")" "$plain" >&3
	"$aws_cli" "$@" 2>"$scratch/error" || wrong "aws $1 $2: $(tr -s '\n' ' ' <"$scratch/error")"
}

# run tells the answer.
run() {
	local answer
	answer=$(ask "$@")
	[ -z "$answer" ] || say "$answer"
}

# look asks something that may have no answer yet, without a word.
look() { "$aws_cli" "$@" 2>/dev/null; }

# heard tells what was said, but for what the commands before it tell already.
heard() {
	[ -z "$said" ] || say "$(printf '%s\n' "$said" | sed -n '/^Caller:/p; /^SUCCESS/,$p; /^FAILED/p')"
	said=''
}

# check says that something is so, now.
check() {
	local what=$1
	shift
	"$@" || wrong "not so: $what${said:+ (${said##*$'\n'})}"
	heard
	right "$what"
}

# soon says that something becomes so, within $patience seconds: it looks again every
# second, because AWS, too, takes its time, and never longer than it has to.
soon() {
	local what=$1 began=$SECONDS
	shift
	until "$@"; do
		[ $((SECONDS - began)) -lt "$patience" ] || wrong "not within $patience s: $what${said:+ (${said##*$'\n'})}"
		sleep 1
	done
	heard
	right "$what (after $((SECONDS - began)) s)"
}
