/*
 * identity/password_table.h - the logins of the configuration. Never changes once it is read, so
 * any thread may look. For src/identity/ alone.
 */
#ifndef IDENTITY_PASSWORD_TABLE_H
#define IDENTITY_PASSWORD_TABLE_H

#include "base/map.h"
#include "identity/identity.h"
#include "identity/password_hash.h"
#include "identity/reading.h"

struct password_user {
	struct map_node by_login;
	struct identity *identity; /* its name is the login */
	struct password_hash hash;
};

struct password_table {
	struct password_user *users;
	size_t count;
	struct map by_login;
};

void password_table_init(struct password_table *t);
/* Whatever it returns, password_table_fini() is called. */
int password_table_read(
    struct password_table *t, const struct reading *r, const char *path, const json_t *config);
void password_table_fini(struct password_table *t);

/* What a passcode for a login that is not there is tried on, so that it takes as long as for one
 * that is: the hash of a user, for one login always the same. */
const struct password_hash *password_table_dummy(
    const struct password_table *t, struct bytes login);
/* NULL: there is none. */
const struct password_user *password_table_find(const struct password_table *t, struct bytes login);

#endif
