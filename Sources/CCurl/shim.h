// libcurl as Swift can call it: its option setters are variadic (and checked macros), which Swift cannot import.
#ifndef FINOPS_CCURL_SHIM_H
#define FINOPS_CCURL_SHIM_H

#include <curl/curl.h>

typedef size_t (*finops_curl_write)(char *bytes, size_t size, size_t count, void *context);
typedef int (*finops_curl_progress)(void *context, curl_off_t download_total, curl_off_t downloaded,
                                    curl_off_t upload_total, curl_off_t uploaded);

static inline CURLcode finops_curl_set_text(CURL *handle, CURLoption option, const char *value) {
  return curl_easy_setopt(handle, option, value);
}

static inline CURLcode finops_curl_set_number(CURL *handle, CURLoption option, long value) {
  return curl_easy_setopt(handle, option, value);
}

static inline CURLcode finops_curl_set_headers(CURL *handle, struct curl_slist *headers) {
  return curl_easy_setopt(handle, CURLOPT_HTTPHEADER, headers);
}

static inline CURLcode finops_curl_set_body(CURL *handle, const void *bytes, long count) {
  CURLcode result = curl_easy_setopt(handle, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)count);
  return result != CURLE_OK ? result : curl_easy_setopt(handle, CURLOPT_COPYPOSTFIELDS, (const char *)bytes);
}

static inline CURLcode finops_curl_set_error_buffer(CURL *handle, char *buffer) {
  return curl_easy_setopt(handle, CURLOPT_ERRORBUFFER, buffer);
}

static inline CURLcode finops_curl_set_body_sink(CURL *handle, finops_curl_write sink, void *context) {
  CURLcode result = curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, sink);
  return result != CURLE_OK ? result : curl_easy_setopt(handle, CURLOPT_WRITEDATA, context);
}

static inline CURLcode finops_curl_set_header_sink(CURL *handle, finops_curl_write sink, void *context) {
  CURLcode result = curl_easy_setopt(handle, CURLOPT_HEADERFUNCTION, sink);
  return result != CURLE_OK ? result : curl_easy_setopt(handle, CURLOPT_HEADERDATA, context);
}

static inline CURLcode finops_curl_set_progress(CURL *handle, finops_curl_progress progress, void *context) {
  CURLcode result = curl_easy_setopt(handle, CURLOPT_NOPROGRESS, 0L);
  if (result == CURLE_OK) result = curl_easy_setopt(handle, CURLOPT_XFERINFOFUNCTION, progress);
  return result != CURLE_OK ? result : curl_easy_setopt(handle, CURLOPT_XFERINFODATA, context);
}

// http and https alone: never file, ftp or whatever else the library was built with.
static inline CURLcode finops_curl_set_http_only(CURL *handle) {
#if LIBCURL_VERSION_NUM >= 0x075500
  return curl_easy_setopt(handle, CURLOPT_PROTOCOLS_STR, "http,https");
#else
  return curl_easy_setopt(handle, CURLOPT_PROTOCOLS, (long)(CURLPROTO_HTTP | CURLPROTO_HTTPS));
#endif
}

static inline long finops_curl_response_code(CURL *handle) {
  long code = 0;
  curl_easy_getinfo(handle, CURLINFO_RESPONSE_CODE, &code);
  return code;
}

static inline CURLcode finops_curl_global_init(void) { return curl_global_init(CURL_GLOBAL_DEFAULT); }

#endif
