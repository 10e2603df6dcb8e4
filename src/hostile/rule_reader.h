/*
 * hostile/rule_reader.h - between the files that read a rule:
 *
 *	rule_parse.c       a whole rule: conditions, a colon, an action, conditions
 *	rule_action.c      what is to be done
 *	rule_condition.c   when
 *
 * Functions that read something return 0, or -EINVAL: then the error is said.
 */
#ifndef HOSTILE_RULE_READER_H
#define HOSTILE_RULE_READER_H

#include "hostile/rule.h"

struct rule_reader {
	struct words words;
	unsigned at; /* the next word */
	struct rule *rule;
	struct rule_error *error;
};

enum { NOT_MINE = 1 };

/* Says what is wrong with the next word. -EINVAL. */
int reader_fail(struct rule_reader *r, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* The same of the word before. */
int reader_fail_before(struct rule_reader *r, const char *sentence);

/* The next word; NULL at the end. */
const struct word *reader_peek(const struct rule_reader *r);
/* Its text if it is no mark, and no bytes otherwise. */
struct bytes reader_text(const struct rule_reader *r);
/* Takes the next word if it is this one. */
bool reader_take(struct rule_reader *r, const char *word);
bool reader_take_mark(struct rule_reader *r, enum word_kind mark);

/* Each takes a word that must be there; `what` names it. */
int reader_number(
    struct rule_reader *r, const char *what, uint64_t least, uint64_t most, uint64_t *out);
int reader_duration(struct rule_reader *r, const char *what, uint64_t *ms);
int reader_size(struct rule_reader *r, const char *what, uint64_t *octets);

/* One condition, or one word that says which direction; NOT_MINE if the next word begins none. */
int rule_condition_read(struct rule_reader *r);
/* The action and the words that must follow it. */
int rule_action_begin(struct rule_reader *r);
/* One of the words that may follow; NOT_MINE. */
int rule_action_more(struct rule_reader *r);
/* Whether all this goes together. */
int rule_check(struct rule_reader *r);

#endif
