// libcurl as Swift can call it: its option setters are variadic (and checked macros), which Swift cannot import.
#ifndef FINOPS_CCURL_SHIM_H
#define FINOPS_CCURL_SHIM_H

#include <curl/curl.h>

typedef size_t (*finops_curl_write)(char *bytes, size_t size, size_t count, void *context);
typedef int (*finops_curl_progress)(void *context, curl_off_t download_total, curl_off_t downloaded,
                                    curl_off_t upload_total, curl_off_t uploaded);

typedef int (*finops_curl_dialogue)(CURL *handle, curl_infotype kind, char *bytes, size_t count, void *context);

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

// The same for mail.
static inline CURLcode finops_curl_set_mail_only(CURL *handle) {
#if LIBCURL_VERSION_NUM >= 0x075500
  return curl_easy_setopt(handle, CURLOPT_PROTOCOLS_STR, "smtp,smtps");
#else
  return curl_easy_setopt(handle, CURLOPT_PROTOCOLS, (long)(CURLPROTO_SMTP | CURLPROTO_SMTPS));
#endif
}

// The others get the mail where one of them is refused. libcurl takes a copy of neither the list nor its lines.
static inline CURLcode finops_curl_set_recipients(CURL *handle, struct curl_slist *recipients) {
#if LIBCURL_VERSION_NUM >= 0x080200
  CURLcode result = curl_easy_setopt(handle, CURLOPT_MAIL_RCPT_ALLOWFAILS, 1L);
#else
  CURLcode result = curl_easy_setopt(handle, CURLOPT_MAIL_RCPT_ALLLOWFAILS, 1L);
#endif
  return result != CURLE_OK ? result : curl_easy_setopt(handle, CURLOPT_MAIL_RCPT, recipients);
}

static inline CURLcode finops_curl_set_source(CURL *handle, finops_curl_write source, void *context, long count) {
  CURLcode result = curl_easy_setopt(handle, CURLOPT_UPLOAD, 1L);
  if (result == CURLE_OK) result = curl_easy_setopt(handle, CURLOPT_READFUNCTION, source);
  if (result == CURLE_OK) result = curl_easy_setopt(handle, CURLOPT_READDATA, context);
  return result != CURLE_OK ? result : curl_easy_setopt(handle, CURLOPT_INFILESIZE_LARGE, (curl_off_t)count);
}

// Commands and replies as they go by; with a sink, "verbose" prints nothing.
static inline CURLcode finops_curl_set_dialogue_sink(CURL *handle, finops_curl_dialogue sink, void *context) {
  CURLcode result = curl_easy_setopt(handle, CURLOPT_DEBUGFUNCTION, sink);
  if (result == CURLE_OK) result = curl_easy_setopt(handle, CURLOPT_DEBUGDATA, context);
  return result != CURLE_OK ? result : curl_easy_setopt(handle, CURLOPT_VERBOSE, 1L);
}

// Of the requests sent; 0 while none has left this machine.
static inline long finops_curl_request_bytes(CURL *handle) {
  long bytes = 0;
  curl_easy_getinfo(handle, CURLINFO_REQUEST_SIZE, &bytes);
  return bytes;
}

static inline long finops_curl_response_code(CURL *handle) {
  long code = 0;
  curl_easy_getinfo(handle, CURLINFO_RESPONSE_CODE, &code);
  return code;
}

static inline CURLcode finops_curl_global_init(void) { return curl_global_init(CURL_GLOBAL_DEFAULT); }

#endif
