/*
 * hostile/rule_parse.c - one line to one rule; see rule.h and rule_reader.h.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "hostile/rule_reader.h"

/* --- the reader ------------------------------------------------------------------------ */

static unsigned column_of_end(const struct rule_reader *r)
{
	const struct word *last = r->words.count ? &r->words.word[r->words.count - 1] : NULL;

	return last ? last->column + (unsigned)last->text.n + 1 : 1;
}

int reader_fail(struct rule_reader *r, const char *format, ...)
{
	va_list ap;

	r->error->column = r->at < r->words.count ? r->words.word[r->at].column : column_of_end(r);
	va_start(ap, format);
	vsnprintf(r->error->sentence, sizeof(r->error->sentence), format, ap);
	va_end(ap);
	return -EINVAL;
}

int reader_fail_before(struct rule_reader *r, const char *sentence)
{
	if (r->at > 0)
		r->at--;
	return reader_fail(r, "%s", sentence);
}

const struct word *reader_peek(const struct rule_reader *r)
{
	return r->at < r->words.count ? &r->words.word[r->at] : NULL;
}

struct bytes reader_text(const struct rule_reader *r)
{
	const struct word *w = reader_peek(r);

	return w && (w->kind == WORD_TEXT || w->kind == WORD_QUOTED) ? w->text
	                                                             : (struct bytes){ "", 0 };
}

bool reader_take(struct rule_reader *r, const char *word)
{
	const struct word *w = reader_peek(r);

	if (!w || w->kind != WORD_TEXT || !bytes_equal_nocase(w->text, bytes_of(word)))
		return false;
	r->at++;
	return true;
}

bool reader_take_mark(struct rule_reader *r, enum word_kind mark)
{
	const struct word *w = reader_peek(r);

	if (!w || w->kind != mark)
		return false;
	r->at++;
	return true;
}

int reader_number(
    struct rule_reader *r, const char *what, uint64_t least, uint64_t most, uint64_t *out)
{
	if (!word_number(reader_text(r), out) || *out < least || *out > most)
		return reader_fail(r, "%s is a number from %llu to %llu", what,
		    (unsigned long long)least, (unsigned long long)most);
	r->at++;
	return 0;
}

int reader_duration(struct rule_reader *r, const char *what, uint64_t *ms)
{
	if (!word_duration(reader_text(r), ms))
		return reader_fail(r, "%s is a time such as 800ms, 20s, 2m or 1h", what);
	r->at++;
	return 0;
}

int reader_size(struct rule_reader *r, const char *what, uint64_t *octets)
{
	bool has_unit;

	if (!word_size(reader_text(r), octets, &has_unit) || *octets == 0)
		return reader_fail(r, "%s is a number of octets such as 4096, 64KiB or 1MiB", what);
	r->at++;
	return 0;
}

/* --- a rule ------------------------------------------------------------------------------ */

static int read_conditions_before(struct rule_reader *r)
{
	int err, count = 0;

	while ((err = rule_condition_read(r)) == 0) {
		count++;
		if (reader_take_mark(r, WORD_COLON))
			count = 0;
	}
	if (err == NOT_MINE && count > 0)
		return reader_fail(r, "a colon stands between the conditions and the action");
	return err;
}

static int read_rest(struct rule_reader *r)
{
	int err = 0;

	while (err == 0 && reader_peek(r)) {
		err = rule_action_more(r);
		if (err == NOT_MINE)
			err = rule_condition_read(r);
	}
	if (err != NOT_MINE)
		return err;
	return reader_fail(r, "'%.*s' means nothing in a rule of the kind '%s'",
	    (int)(reader_peek(r)->text.n < 60 ? reader_peek(r)->text.n : 60),
	    reader_peek(r)->text.p, rule_name(r->rule->kind));
}

static int read_rule(struct rule_reader *r)
{
	int err = read_conditions_before(r);

	if (err != NOT_MINE)
		return err;
	err = rule_action_begin(r);
	if (err == 0)
		err = read_rest(r);
	return err == 0 ? rule_check(r) : err;
}

static void settle_ways(struct rule *rule)
{
	if (rule->has_way)
		return;
	rule->ways[FROM_SERVER] = true;
	rule->ways[FROM_CLIENT] = rule->kind != RULE_HOLD && rule->kind != RULE_CORRUPT;
}

int rule_parse(struct rule *out, struct bytes line, struct rule_error *error)
{
	struct rule_reader r = { .rule = out, .error = error };
	const char *wrong;
	int err;

	memset(out, 0, sizeof(*out));
	memset(error, 0, sizeof(*error));
	out->chance = 1000000;
	if (line.n >= sizeof(out->text)) {
		r.at = WORDS_MOST;
		return reader_fail(&r, "a rule has no more than %d octets", RULE_TEXT_MAX - 1);
	}
	wrong = words_read(&r.words, line, &error->column);
	if (wrong) {
		snprintf(error->sentence, sizeof(error->sentence), "%s", wrong);
		return -EINVAL;
	}
	err = read_rule(&r);
	settle_ways(out);
	*bytes_put(out->text, line) = '\0';
	return err;
}
