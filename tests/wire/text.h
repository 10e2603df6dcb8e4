/*
 * tests/wire/text.h - strings of the scenario language; see text.c.
 */
#ifndef WIRE_TEXT_H
#define WIRE_TEXT_H

#include <stddef.h>

struct text {
	char *p; /* NUL-terminated behind its n bytes, which may hold NULs */
	size_t n;
};

/* Scratch memory: lives until the next scratch_reset(), which each statement begins with. */
void *scratch(size_t n);
void scratch_reset(void);

void text_add(struct text *t, const void *bytes, size_t n);

/* Variables. The value is copied; names are letters, digits and '_'. */
void var_set(const char *name, const char *value);
const char *var_get(const char *name);

/* Called on a mistake in the scenario itself; must not return. */
extern void (*text_mistake)(const char *what, const char *where) __attribute__((noreturn));

/* $name and ${name} replaced; "$$" is a dollar. */
struct text text_expand(const char *s, size_t n);

/* A word: to the next blank outside quotes, expanded. Moves *P behind it and its blanks. */
struct text text_word(const char **p);

/* One item of an expression with its repetition. Moves *P behind it and its blanks. */
struct text text_item(const char **p);

/* The whole rest of the line as an expression: strings, hex, repetition. */
struct text text_expression(const char *p);

/* Printable form for messages, shortened in the middle; scratch. */
const char *text_show(const void *bytes, size_t n);

#endif
