/* The handlers behind registry/api.h's routes. */
#pragma once

#include "http/service.h"

/* api_register.c */
void register_handle(struct http_exchange *exchange);
void lookup_handle(struct http_exchange *exchange);
/* api_compare.c */
void compare_version_handle(struct http_exchange *exchange);
void compare_all_handle(struct http_exchange *exchange);
/* api_read.c */
void root_handle(struct http_exchange *exchange);
void subjects_handle(struct http_exchange *exchange);
void versions_handle(struct http_exchange *exchange);
void version_handle(struct http_exchange *exchange);
void version_text_handle(struct http_exchange *exchange);
void referenced_by_handle(struct http_exchange *exchange);
void schemas_handle(struct http_exchange *exchange);
void types_handle(struct http_exchange *exchange);
void contexts_handle(struct http_exchange *exchange);
/* api_id.c */
void id_handle(struct http_exchange *exchange);
void id_text_handle(struct http_exchange *exchange);
void id_versions_handle(struct http_exchange *exchange);
void id_subjects_handle(struct http_exchange *exchange);
void guid_handle(struct http_exchange *exchange);
void guid_ids_handle(struct http_exchange *exchange);
/* api_setting.c */
void config_get_handle(struct http_exchange *exchange);
void config_put_handle(struct http_exchange *exchange);
void config_delete_handle(struct http_exchange *exchange);
void mode_get_handle(struct http_exchange *exchange);
void mode_put_handle(struct http_exchange *exchange);
void mode_delete_handle(struct http_exchange *exchange);
/* api_delete.c */
void subject_delete_handle(struct http_exchange *exchange);
void version_delete_handle(struct http_exchange *exchange);
/* api_server.c */
void associations_handle(struct http_exchange *exchange);
void cluster_handle(struct http_exchange *exchange);
void server_version_handle(struct http_exchange *exchange);
void deployment_handle(struct http_exchange *exchange);
void ready_handle(struct http_exchange *exchange);
void rejects_handle(struct http_exchange *exchange);
