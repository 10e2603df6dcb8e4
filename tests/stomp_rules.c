/*
 * tests/stomp_rules.c - every rule of STOMP 1.0, 1.1 and 1.2, one by one.
 *
 *	stomp_rules [OPTIONS]
 *
 *	--only TEXT     only the rules whose name contains TEXT
 *	-v              name every rule
 *
 * A rule is asked of each subject that has to keep it, in each version in which it holds. A reader
 * gets it several times: whole, octet by octet, and in random pieces. All have to go well for the
 * rule to pass.
 *
 * Prints a line per failed rule (subject, name, version, how it was cut, what differed) and at the
 * end "N passed, N failed". Exits with 1 if any failed.
 *
 * Files (rules/): the families of rules (stomp_frames.c, stomp_headers.c, stomp_writing.c) fill the
 * catalogue of stomp_rule.c; stomp_subject.c asks the codec.
 */
#include <stdio.h>
#include <stdlib.h>

#include "rules/stomp_rule.h"
#include "rules/stomp_subject.h"
#include "wire/arguments.h"

static struct {
	const char *only;
	bool verbose;
} options;

static const struct subject {
	const char *name;
	unsigned on; /* rules that it has to keep */
	void (*play)(struct octets *got, const struct stomp_rule *r, enum stomp_version version,
	    enum cut cut, uint32_t seed);
	int cuts;
} subjects[] = {
	{ "reader", ON_READER, stomp_reader_play, CUT_BY_PAUSES },
	{ "writer", ON_WRITER, stomp_writer_play, CUT_NOT + 1 },
};

static const char *const cut_names[] = { "whole", "in octets", "in pieces" };
static const char *const version_names[] = { "no version yet", "1.0", "1.1", "1.2" };

static unsigned passed, failed;

static bool ask_once(
    const struct subject *s, const struct stomp_rule *r, enum stomp_version version, enum cut cut)
{
	struct octets got = { 0 };
	bool well;

	s->play(&got, r, version, cut, 1);
	well = got.n == r->expected.n && (got.n == 0 || memcmp(got.p, r->expected.p, got.n) == 0);
	if (!well)
		printf("%s: %s: %s: %s: %s instead of %s\n", s->name, r->name,
		    version_names[version], cut_names[cut], octets_show(got.p, got.n),
		    octets_show(r->expected.p, r->expected.n));
	octets_free(&got);
	return well;
}

static bool ask(const struct subject *s, const struct stomp_rule *r)
{
	for (int version = STOMP_UNDECIDED; version <= STOMP_1_2; version++)
		for (int cut = CUT_NOT; cut < s->cuts; cut++)
			if ((r->versions >> version & 1) &&
			    !ask_once(s, r, (enum stomp_version)version, (enum cut)cut))
				return false;
	return true;
}

static void ask_all_subjects(const struct stomp_rule *r)
{
	for (size_t i = 0; i < sizeof(subjects) / sizeof(subjects[0]); i++) {
		if (!(r->on & subjects[i].on))
			continue;
		if (!ask(&subjects[i], r)) {
			failed++;
			continue;
		}
		passed++;
		if (options.verbose)
			printf("%s: %s: passed\n", subjects[i].name, r->name);
	}
}

/* --- the catalogue ---------------------------------------------------------------------- */

static int by_name(const void *a, const void *b)
{
	const struct stomp_rule *const *left = a, *const *right = b;

	return strcmp((*left)->name, (*right)->name);
}

/* Two rules of one name could not be told apart when one fails. */
static void refuse_doubles(const struct stomp_catalogue *c)
{
	qsort(c->rules, c->count, sizeof(struct stomp_rule *), by_name);
	for (size_t i = 1; i < c->count; i++)
		if (strcmp(c->rules[i - 1]->name, c->rules[i]->name) == 0) {
			fprintf(
			    stderr, "stomp_rules: two rules of one name: %s\n", c->rules[i]->name);
			exit(2);
		}
}

static void make_catalogue(struct stomp_catalogue *c)
{
	add_stomp_frame_rules(c);
	add_stomp_header_rules(c);
	add_stomp_writer_rules(c);
	refuse_doubles(c);
}

int main(int argc, char **argv)
{
	static const char usage[] = "usage: stomp_rules [--only TEXT] [-v]\n";
	static const struct argument table[] = {
		{ "only", .text = &options.only },
		{ "v", .flag = &options.verbose },
		{ NULL },
	};
	static struct stomp_catalogue catalogue;

	if (arguments_read(table, argc, argv, usage) != argc)
		arguments_refuse(usage);
	make_catalogue(&catalogue);
	for (size_t i = 0; i < catalogue.count; i++)
		if (!options.only || strstr(catalogue.rules[i]->name, options.only))
			ask_all_subjects(catalogue.rules[i]);
	printf("%u passed, %u failed\n", passed, failed);
	return failed != 0;
}
