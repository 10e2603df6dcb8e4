/*
 * identity/password_table.c - see password_table.h.
 */
#include "identity/password_table.h"

#include <errno.h>
#include <stdio.h>

#include "base/mem.h"

#define USERS_FILE_MAX (64u << 20)
#define ROLES_MAX      256

static struct bytes user_login(const struct map_node *node)
{
	return bytes_of(container_of(node, struct password_user, by_login)->identity->name);
}

/* Nobody's passcode, and as much work as ours. */
static const struct password_hash nobody = {
	.kind = PASSWORD_SCRYPT, .ln = 14, .r = 8, .p = 1, .salt_len = 16, .hash_len = 32
};

void password_table_init(struct password_table *t)
{
	*t = (struct password_table){ .users = NULL };
	map_init(&t->by_login, user_login, NULL);
}

void password_table_fini(struct password_table *t)
{
	map_fini(&t->by_login);
	for (size_t i = 0; i < t->count; i++)
		identity_unref(t->users[i].identity);
	mem_free(t->users);
}

const struct password_hash *password_table_dummy(const struct password_table *t, struct bytes login)
{
	return t->count > 0 ? &t->users[map_hash(&t->by_login.seed, login) % t->count].hash
	                    : &nobody;
}

const struct password_user *password_table_find(const struct password_table *t, struct bytes login)
{
	const struct map_node *node = map_find(&t->by_login, login);

	return node ? container_of(node, const struct password_user, by_login) : NULL;
}

/* --- the configuration ----------------------------------------------------------- */

/* One row of the table, as it is written. */
struct row {
	const char *login, *password;
	const char *roles[ROLES_MAX + 1];
};

static int read_roles(
    const struct reading *r, const char *path, const json_t *config, const char **roles)
{
	const json_t *value;
	json_t *list = NULL;
	size_t i;
	int err;

	value = json_object_get(config, "roles");
	if (json_is_array(value) && json_array_size(value) == 0)
		return 0;
	err = reading_list(r, path, config, "roles", &list);
	if (err == 0 && json_array_size(list) > ROLES_MAX)
		err = reading_fail(r, -EINVAL, "%s.roles: has more than %d", path, ROLES_MAX);
	if (err == 0)
		json_array_foreach (list, i, value)
			roles[i] = json_string_value(value);
	json_decref(list); /* the configuration has it too */
	return err;
}

static int read_row(
    const struct reading *r, const char *path, const json_t *config, struct row *row)
{
	static const char *const words[] = { "login", "password", "roles", NULL };
	int err = reading_keys(r, path, config, words);

	if (err == 0)
		err = reading_string(r, path, config, "login", &row->login);
	if (err == 0)
		err = reading_string(r, path, config, "password", &row->password);
	if (err == 0)
		err = read_roles(r, path, config, row->roles);
	if (err < 0)
		return err;
	if (!row->login)
		return reading_fail(r, -EINVAL, "%s.login: is needed", path);
	if (!identity_name_is_valid(bytes_of(row->login)))
		return reading_fail(r, -EINVAL,
		    "%s.login: has control characters, or more than %d octets", path,
		    IDENTITY_NAME_MAX);
	return row->password ? 0 : reading_fail(r, -EINVAL, "%s.password: is needed", path);
}

/* There is room for it. */
static int add_user(
    struct password_table *t, const struct reading *r, const char *path, const struct row *row)
{
	struct password_user *user = &t->users[t->count];
	const char *fault = password_hash_parse(&user->hash, bytes_of(row->password));
	int err;

	if (fault)
		return reading_fail(r, -EINVAL, "%s.password: %s", path, fault);
	user->identity = identity_new(row->login, row->roles, NULL, 0);
	if (!user->identity)
		return reading_no_memory(r);
	t->count++;
	err = map_insert(&t->by_login, &user->by_login);
	if (err == -EEXIST)
		return reading_fail(
		    r, err, "%s.login: \"%.64s\" is there already", path, row->login);
	return err < 0 ? reading_no_memory(r) : 0;
}

static int read_users(
    struct password_table *t, const struct reading *r, const char *path, const json_t *list)
{
	char at[READING_PATH];
	const json_t *value;
	size_t i;
	int err = 0;

	if (!json_is_array(list))
		return reading_fail(r, -EINVAL, "%s: is not a list, or the name of a file", path);
	t->users = mem_zalloc(json_array_size(list) * sizeof(*t->users));
	if (!t->users)
		return reading_no_memory(r);
	json_array_foreach (list, i, value) {
		struct row row = { .login = NULL };

		reading_path(at, "%s[%zu]", path, i);
		if ((err = read_row(r, at, value, &row)) < 0 ||
		    (err = add_user(t, r, at, &row)) < 0)
			return err;
	}
	return 0;
}

int password_table_read(
    struct password_table *t, const struct reading *r, const char *path, const json_t *config)
{
	json_t *list = NULL;
	int err;

	if (!json_is_string(config))
		return read_users(t, r, path, config);
	err = reading_json_file(r, path, json_string_value(config), USERS_FILE_MAX, &list);
	if (err == 0)
		err = read_users(t, r, path, list);
	json_decref(list);
	return err;
}
