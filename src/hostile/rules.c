/*
 * hostile/rules.c - lists of rules; see rules.h.
 */
#include "hostile/rules.h"

#include <errno.h>
#include <stdio.h>

#include "base/field.h"
#include "base/mem.h"

static void drop_from(struct rules *rules, size_t first)
{
	while (rules->count > first)
		mem_free(rules->rule[--rules->count]);
}

void rules_fini(struct rules *rules)
{
	drop_from(rules, 0);
}

static int fail(struct rule_error *error, unsigned line, int err, const char *sentence)
{
	*error = (struct rule_error){ .line = line };
	snprintf(error->sentence, sizeof(error->sentence), "%s", sentence);
	return err;
}

/* Where this rule ends: at a semicolon that is not within quotation marks. */
static size_t rule_length(struct bytes line)
{
	bool is_quoted = false;
	size_t n = 0;

	for (; n < line.n && (is_quoted || line.p[n] != ';'); n++)
		if (line.p[n] == '"')
			is_quoted = !is_quoted;
	return n;
}

static int add_one(struct rules *rules, struct bytes text, struct rule_error *error)
{
	struct rule *rule;
	int err;

	if (field_trim(text).n == 0)
		return 0;
	if (rules->count == RULES_MOST)
		return fail(error, 0, -E2BIG, "there are too many rules: 256 at most");
	rule = mem_alloc(sizeof(*rule));
	if (!rule)
		return fail(error, 0, -ENOMEM, "out of memory");
	err = rule_parse(rule, text, error);
	if (err < 0) {
		mem_free(rule);
		return err;
	}
	rules->rule[rules->count++] = rule;
	rule->id = rules->count;
	return 0;
}

/* Columns are those of the line. */
static int add_line(struct rules *rules, struct bytes line, struct rule_error *error)
{
	size_t at = 0;
	int err = 0;

	if (field_trim(line).n == 0 || field_trim(line).p[0] == '#')
		return 0;
	while (err == 0 && at < line.n) {
		struct bytes rest = { line.p + at, line.n - at };
		size_t n = rule_length(rest);

		err = add_one(rules, (struct bytes){ rest.p, n }, error);
		if (err == -EINVAL && error->column)
			error->column += (unsigned)at;
		at += n + 1;
	}
	return err;
}

/* The next line without its end. */
static struct bytes take_line(struct bytes *text)
{
	const char *lf = memchr(text->p, '\n', text->n);
	struct bytes line = { text->p, lf ? (size_t)(lf - text->p) : text->n };

	text->n -= line.n + (lf != NULL);
	text->p += line.n + (lf != NULL);
	if (line.n > 0 && line.p[line.n - 1] == '\r')
		line.n--;
	return line;
}

static int add_lines(struct rules *rules, struct bytes text, struct rule_error *error)
{
	unsigned number = 0;
	int err = 0;

	if (text.n > RULES_TEXT_MOST)
		return fail(error, 0, -E2BIG, "this text is too long: 64 KiB at most");
	while (err == 0 && text.n > 0) {
		number++;
		err = add_line(rules, take_line(&text), error);
	}
	if (err < 0)
		error->line = number;
	return err;
}

int rules_add(struct rules *rules, struct bytes text, struct rule_error *error)
{
	size_t before = rules->count;
	int err = add_lines(rules, text, error);

	if (err < 0)
		drop_from(rules, before);
	return err;
}

int rules_replace(struct rules *rules, struct bytes text, uint64_t now, struct rule_error *error)
{
	struct rules *fresh = mem_zalloc(sizeof(*fresh));
	int err;

	if (!fresh)
		return fail(error, 0, -ENOMEM, "out of memory");
	err = rules_add(fresh, text, error);
	if (err == 0) {
		fresh->generation = rules->generation + 1;
		fresh->given_ms = now;
		rules_fini(rules);
		*rules = *fresh;
	}
	mem_free(fresh);
	return err;
}

void rules_clear(struct rules *rules, uint64_t now)
{
	rules_fini(rules);
	rules->generation++;
	rules->given_ms = now;
}
