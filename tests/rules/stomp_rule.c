/*
 * tests/rules/stomp_rule.c - the catalogue; see stomp_rule.h.
 */
#include "rules/stomp_rule.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

struct stomp_rule *stomp_rule_add(
    struct stomp_catalogue *c, unsigned on, unsigned versions, const char *name, ...)
{
	struct stomp_rule *r = calloc(1, sizeof(*r));
	va_list ap;
	int n;

	if (c->count == c->capacity) {
		c->capacity = c->capacity ? 2 * c->capacity : 256;
		c->rules = realloc(c->rules, c->capacity * sizeof(struct stomp_rule *));
	}
	if (!r || !c->rules)
		abort();
	va_start(ap, name);
	n = vsnprintf(r->name, sizeof(r->name), name, ap);
	va_end(ap);
	if (n < 0 || (size_t)n >= sizeof(r->name)) {
		fprintf(stderr, "stomp_rules: the name is too long: %s\n", r->name);
		exit(2);
	}
	r->on = on;
	r->versions = versions;
	c->rules[c->count++] = r;
	return r;
}

void stomp_rule_send(struct stomp_rule *r, const void *p, size_t n)
{
	octets_add(&r->sent, p, n);
}

void stomp_rule_expect(struct stomp_rule *r, const void *p, size_t n)
{
	octets_add(&r->expected, p, n);
}
