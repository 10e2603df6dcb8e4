/*
 * tests/fuzz/fuzz_hostile_rules.c - the language of sockjs-hostile (hostile/rules.h).
 *
 * Input: a scenario. It is taken whole, or the error names a line and a column that are there. Each
 * rule that was taken is read again from its own text as the same one, and may be asked whether it
 * holds.
 */
#include <string.h>

#include "hostile/rules.h"
#include "hostile/situation.h"
#include "tests/fuzz/must.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void must_be_alike(const struct rule *a, const struct rule *b)
{
	must(a->kind == b->kind && a->n == b->n && a->ms == b->ms && a->status == b->status);
	must(memcmp(a->ways, b->ways, sizeof(a->ways)) == 0);
	must(memcmp(a->targets, b->targets, sizeof(a->targets)) == 0);
	must(a->after.bytes == b->after.bytes && a->after.frames == b->after.frames);
	must(a->chance == b->chance && a->times == b->times && a->for_ms == b->for_ms);
	must(strcmp(a->name, b->name) == 0 && strcmp(a->value, b->value) == 0);
}

static void must_be_askable(const struct rule *r)
{
	struct request_facts facts;
	struct situation s = { .now = 1000, .connection = 1, .requests = 1, .request = &facts };
	uint64_t wait = NEVER;

	request_facts_read(&facts, BYTES("POST"), BYTES("/echo/1/2/xhr_send?x"), false);
	must(rule_is_due(r, &s, &wait) || wait > 0);
	must(rule_edge(r, &s, FROM_CLIENT) > 0 && rule_edge(r, &s, FROM_SERVER) > 0);
	rule_is_about(r, &s);
}

static void check_rule(const struct rule *r)
{
	static struct rule again;
	struct rule_error error;

	must(r->ways[FROM_CLIENT] || r->ways[FROM_SERVER]);
	must(r->chance <= 1000000 && r->target_count <= RULE_TARGETS_MOST);
	must(rule_name(r->kind)[0] != '\0');
	must(rule_parse(&again, bytes_of(r->text), &error) == 0);
	must_be_alike(r, &again);
	must_be_askable(r);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static struct rules rules;
	struct rule_error error;
	struct bytes text = { (const char *)p, n };

	if (rules_add(&rules, text, &error) < 0) {
		must(error.sentence[0] && error.line > 0 && error.line <= n + 1);
		must(error.column <= n + 2 && rules.count == 0);
	}
	for (size_t i = 0; i < rules.count; i++)
		check_rule(rules.rule[i]);
	rules_fini(&rules);
	return 0;
}
