/*
 * tests/wire/script.c - scenario files as lists of statements.
 *
 * Knows the outline of the language only: comments, groups, scenarios and
 * blocks in braces. What a statement means is play.c's affair.
 */
#include "wire/script.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_DEPTH = 8 };

struct reader {
	struct script *script;
	const char *file;
	FILE *in;
	int line;
	char *text; /* current line, trimmed */
	char *buffer;
	size_t size;
	struct group *group;
	int needs_demo;
	struct scenario *scenario;
	struct statement **end[MAX_DEPTH]; /* where the next statement goes, per depth */
	int depth;
};

static _Noreturn void syntax(const struct reader *r, const char *what)
{
	fprintf(stderr, "%s:%d: %s: %s\n", r->file, r->line, what, r->text);
	exit(2);
}

static void *make(size_t n)
{
	void *p = calloc(1, n);

	if (!p)
		abort();
	return p;
}

static char *trim(char *s)
{
	char *end = s + strlen(s);

	while (end > s && isspace((unsigned char)end[-1]))
		*--end = '\0';
	while (isspace((unsigned char)*s))
		s++;
	return s;
}

static int next_line(struct reader *r)
{
	if (getline(&r->buffer, &r->size, r->in) < 0)
		return 0;
	r->line++;
	r->text = trim(r->buffer);
	return 1;
}

static struct group *find_group(const struct reader *r, enum group_kind kind, const char *text)
{
	struct script *script = r->script;
	struct group *g;

	for (g = script->groups; g; g = g->next)
		if (g->kind == kind && !strcmp(g->text, text))
			return g;
	g = make(sizeof(*g));
	g->kind = kind;
	g->text = strdup(text);
	if (asprintf(&g->where, "%s:%d", r->file, r->line) < 0)
		abort();
	g->next = script->groups;
	script->groups = g;
	return g;
}

/* From "config {" to the line that is a lone "}" in the first column. */
static void read_config(struct reader *r)
{
	char *json = strdup(r->text + strlen("config"));
	size_t n;
	int closed = 0;

	while (!closed) {
		if (!next_line(r))
			syntax(r, "config without its closing brace");
		closed = r->buffer[0] == '}';
		n = strlen(json);
		json = realloc(json, n + strlen(r->text) + 2);
		if (!json)
			abort();
		sprintf(json + n, "\n%s", r->text);
	}
	r->group = find_group(r, GROUP_CONFIG, json);
	free(json);
}

static void begin_scenario(struct reader *r)
{
	struct scenario *s = make(sizeof(*s));
	char *name = trim(r->text + strlen("scenario"));
	size_t n = strlen(name);

	if (r->depth)
		syntax(r, "the block before is not closed");
	if (n < 3 || name[0] != '"' || name[n - 1] != '"')
		syntax(r, "a scenario needs a name in quotes");
	s->name = strndup(name + 1, n - 2);
	s->file = r->file;
	s->line = r->line;
	s->group = r->group;
	s->needs_demo = r->needs_demo;
	*r->script->end = s;
	r->script->end = &s->next;
	r->scenario = s;
	r->end[0] = &s->first;
}

static void add_statement(struct reader *r)
{
	struct statement *s = make(sizeof(*s));
	size_t n = strlen(r->text);

	if (!r->scenario)
		syntax(r, "statement outside of a scenario");
	s->line = r->line;
	*r->end[r->depth] = s;
	r->end[r->depth] = &s->next;
	if ((!strncmp(r->text, "repeat ", 7) || !strncmp(r->text, "for ", 4)) &&
	    r->text[n - 1] == '{') {
		if (++r->depth == MAX_DEPTH)
			syntax(r, "blocks too deep");
		r->text[n - 1] = '\0';
		r->end[r->depth] = &s->body;
	}
	s->text = strdup(trim(r->text));
	r->scenario->group->ends |= !strcmp(s->text, "signal TERM");
}

static int is_word(const char *text, const char *word)
{
	size_t n = strlen(word);

	return !strncmp(text, word, n) && (!text[n] || isspace((unsigned char)text[n]));
}

static void choose_shared(struct reader *r)
{
	r->group = find_group(r, GROUP_SHARED, "");
	r->needs_demo = is_word(r->text, "demo");
}

static void read_one(struct reader *r)
{
	if (!*r->text || *r->text == '#')
		return;
	if (is_word(r->text, "scenario"))
		begin_scenario(r);
	else if (is_word(r->text, "config"))
		read_config(r);
	else if (is_word(r->text, "args"))
		r->group = find_group(r, GROUP_ARGS, trim(r->text + 4));
	else if (is_word(r->text, "shared") || is_word(r->text, "demo"))
		choose_shared(r);
	else if (!strcmp(r->text, "}") && r->depth)
		r->depth--;
	else
		add_statement(r);
}

void script_load(struct script *script, const char *file)
{
	static char nothing[1];
	struct reader r = { .script = script, .file = file, .text = nothing };

	if (!script->end)
		script->end = &script->first;
	r.in = fopen(file, "re");
	if (!r.in) {
		perror(file);
		exit(2);
	}
	r.group = find_group(&r, GROUP_SHARED, "");
	while (next_line(&r))
		read_one(&r);
	if (r.depth)
		syntax(&r, "the last block is not closed");
	free(r.buffer);
	fclose(r.in);
}
