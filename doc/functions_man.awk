# doc/functions_man.awk - makes the pages of section 3 from include/sockjs.h, so that they cannot lag.
#
#	awk -v out=DIR -v frame=FRAME -f functions_man.awk HEADER
#
# Writes DIR/NAME.3 for each function, in mdoc: its declaration, the comment above it, and its
# neighbours. Functions that share a comment share a page, and the others' names lead to it.
# DIR/sockjs.3 is the frame, where a line @FUNCTIONS@ becomes the list of all.
#
# What is expected of the header: sections begin with a line "/* --- name --- */", a comment stands
# directly above its declarations, a declaration begins with SOCKJS_API, and a blank line ends both.

# --- reading the header ---------------------------------------------------------------

function read_section(line)
{
	sub(/^\/\* --- /, "", line)
	sub(/ -+ *\*\/$/, "", line)
	sections[++section_count] = line
	forget()
}

function forget()
{
	comment = ""
	leader = ""
}

# The comment that begins in `line`, as one line of text.
function read_comment(line,    text, ended)
{
	sub(/^\/\*/, "", line)
	do {
		ended = sub(/ *\*\/.*/, "", line)
		sub(/^ \*/, " ", line)
		text = text line
	} while (!ended && (getline line) > 0)
	sub(/^ +/, "", text)
	gsub(/  +/, " ", text)
	forget()
	comment = text
}

# The declaration that begins in `line`, as one line.
function read_declaration(line,    more)
{
	while (line !~ /;/) {
		if ((getline more) <= 0)
			break
		sub(/^[ \t]+/, " ", more)
		line = line more
	}
	sub(/^SOCKJS_API /, "", line)
	sub(/;.*/, "", line)
	gsub(/\( /, "(", line)
	add_function(line)
}

function add_function(declaration,    name)
{
	match(declaration, /sockjs_[a-z_]+\(/)
	name = substr(declaration, RSTART, RLENGTH - 1)
	if (leader == "") {
		leader = name
		comments[name] = comment
	}
	names[++name_count] = name
	declarations[name] = declaration
	leaders[name] = leader
	members[leader] = members[leader] " " name
	section_of[name] = section_count
}

# Everything between braces, and what the preprocessor wants, is not for these pages.
function skip(line)
{
	depth += gsub(/{/, "{", line) - gsub(/}/, "}", line)
	if (line !~ /^SOCKJS_API/)
		forget()
}

# --- writing ----------------------------------------------------------------------------

# Text that roff takes as it is, with names as names.
function roff(text,    out, token)
{
	gsub(/\\/, "\\e", text)
	gsub(/-/, "\\-", text)
	gsub(/"/, "\\(dq", text)
	gsub(/'/, "\\(aq", text)
	gsub(/~/, "\\(ti", text)
	gsub(/\^/, "\\(ha", text)
	out = ""
	while (match(text, /sockjs_[a-z_]+\(\)|SOCKJS_[A-Z_]+|`[^`]+`/)) {
		token = substr(text, RSTART, RLENGTH)
		out = out substr(text, 1, RSTART - 1) face(token)
		text = substr(text, RSTART + RLENGTH)
	}
	return "\\&" out text
}

function face(token)
{
	if (token ~ /^`/)
		return "\\fI" substr(token, 2, length(token) - 2) "\\fR"
	if (token ~ /\(\)$/)
		return "\\fB" substr(token, 1, length(token) - 2) "\\fR()"
	return "\\fB" token "\\fR"
}

# Each sentence on a line of its own, as roff wants it to know their ends.
function sentences(text,    out)
{
	out = ""
	while (match(text, /[.] [A-Z]/)) {
		out = out substr(text, 1, RSTART) "\n"
		text = substr(text, RSTART + 2)
	}
	return out text
}

# The first clause of a comment, for the line under NAME.
function summary(text,    i)
{
	gsub(/e\.g\. /, "e.g.\001", text)
	if ((i = match(text, /[.:;] |\.$|, e\.g\.| \(|, as /)) > 0)
		text = substr(text, 1, i - 1)
	gsub(/\001/, " ", text)
	if (text ~ /^[A-Z][a-z ]/ && text !~ /^Origin/)
		text = tolower(substr(text, 1, 1)) substr(text, 2)
	return text
}

# Arguments stand between commas that are in no parentheses of their own.
function quote_arguments(text,    out, i, c, level, one)
{
	out = one = ""
	level = 0
	for (i = 1; i <= length(text) + 1; i++) {
		c = substr(text, i, 1)
		level += (c == "(") - (c == ")")
		if ((c == "," && level == 0) || i > length(text)) {
			sub(/^ +/, "", one)
			out = out " \"" one "\""
			one = ""
		} else {
			one = one c
		}
	}
	return out
}

function put_declaration(file, name,    text, before, inside)
{
	text = declarations[name]
	before = substr(text, 1, index(text, name "(") - 1)
	inside = substr(text, index(text, name "(") + length(name) + 1)
	sub(/ +$/, "", before)
	sub(/\)$/, "", inside)
	printf ".Ft \"%s\"\n.Fn %s%s\n", before, name, quote_arguments(inside) >file
}

function put_names(file, name,    list, n, i)
{
	n = split(members[name], list, " ")
	for (i = 1; i <= n; i++)
		printf ".Nm %s%s\n", list[i], i < n ? " ," : "" >file
	printf ".Nd %s\n", roff(summary(comments[name])) >file
	print ".Sh LIBRARY\nlibsockjs; compile and link with" >file
	print ".Ql pkg\\-config \\-\\-cflags \\-\\-libs sockjs\n.Sh SYNOPSIS\n.In sockjs.h" >file
	for (i = 1; i <= n; i++)
		put_declaration(file, list[i])
}

# Sections of the header say when their functions may be called.
function put_section(file, name,    title)
{
	title = sections[section_of[name]]
	print ".Pp\nIts place in\n.In sockjs.h" >file
	printf "is under \\(lq%s\\(rq;\n.Xr sockjs 3\nsays what holds for all.\n", roff(title) >file
}

# By name, as the manual wants it.
function put_neighbours(file, name,    i, j, n, list)
{
	n = 0
	for (i = 1; i <= name_count; i++) {
		if (section_of[names[i]] != section_of[name] || leaders[names[i]] != names[i] || names[i] == name)
			continue
		for (j = n++; j > 0 && list[j] > names[i]; j--)
			list[j + 1] = list[j]
		list[j + 1] = names[i]
	}
	print ".Sh SEE ALSO\n.Xr sockjs 3 ," >file
	for (i = 1; i <= n; i++)
		printf ".Xr %s 3 ,\n", list[i] >file
	print ".Xr sockjsd.conf 5" >file
}

function put_page(name,    file)
{
	file = out "/" name ".3"
	if (leaders[name] != name) {
		printf ".so man3/%s.3\n", leaders[name] >file
		close(file)
		return
	}
	printf ".\\\" Made from sockjs.h by doc/functions_man.awk.\n" >file
	printf ".Dd January 1, 2026\n.Dt %s 3\n.Os\n.Sh NAME\n", toupper(name) >file
	put_names(file, name)
	printf ".Sh DESCRIPTION\n%s\n", sentences(roff(comments[name])) >file
	put_section(file, name)
	put_neighbours(file, name)
	close(file)
}

function put_list(file,    i, name, section)
{
	section = -1
	for (i = 1; i <= name_count; i++) {
		name = names[i]
		if (section_of[name] != section) {
			if (section >= 0)
				print ".El" >file
			section = section_of[name]
			printf ".Ss %s\n.Bl -tag -width Ds -compact\n", roff(sections[section]) >file
		}
		printf ".It Xr %s 3\n%s\n", name, roff(summary(comments[leaders[name]])) >file
	}
	print ".El" >file
}

function put_overview(    file, line)
{
	file = out "/sockjs.3"
	while ((getline line <frame) > 0) {
		if (line == "@FUNCTIONS@")
			put_list(file)
		else
			print line >file
	}
	close(file)
}

# --- both ------------------------------------------------------------------------

BEGIN { sections[section_count = 0] = "version" }
depth == 0 && /^\/\* --- / { read_section($0); next }
depth == 0 && /^\/\*/ { read_comment($0); next }
/^extern "C"/ { next } # its brace holds all
depth == 0 && /^SOCKJS_API / { read_declaration($0); next }
{ skip($0) }

END {
	for (i = 1; i <= name_count; i++)
		put_page(names[i])
	put_overview()
}
