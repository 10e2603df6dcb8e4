/*
 * tests/rules/rule.c - the catalogue; see rule.h.
 */
#include "rules/rule.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

struct rule *rule_add(struct catalogue *c, play_fn *play, const char *name, ...)
{
	struct rule *r = calloc(1, sizeof(*r));
	va_list ap;
	int n;

	if (c->count == c->capacity) {
		c->capacity = c->capacity ? 2 * c->capacity : 256;
		c->rules = realloc(c->rules, c->capacity * sizeof(struct rule *));
	}
	if (!r || !c->rules)
		abort();
	va_start(ap, name);
	n = vsnprintf(r->name, sizeof(r->name), name, ap);
	va_end(ap);
	if (n < 0 || (size_t)n >= sizeof(r->name)) {
		fprintf(stderr, "rules: the name is too long: %s\n", r->name);
		exit(2);
	}
	r->on = ON_ALL;
	r->play = play;
	c->rules[c->count++] = r;
	return r;
}
