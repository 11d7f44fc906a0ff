import CCurl

/// Bounds and routes of a transport. Times are real seconds: a scaled clock does not make sockets faster.
package struct TransferSettings: Hashable, Sendable {
    /// For the name, the connection and TLS together.
    package var connectSeconds = 10
    /// From the first to the last byte, connecting included; no pause for retries is in it.
    package var totalSeconds = 120
    /// An answer slower than this for `lowSpeedSeconds` is given up.
    package var lowSpeedBytesPerSecond = 100
    package var lowSpeedSeconds = 30
    /// A body beyond this is refused while it arrives, decompressed size counted.
    package var responseBytes = 64 << 20
    /// All header lines of an answer together.
    package var headerBytes = 256 << 10
    /// A PEM file instead of the system's certificates.
    package var caBundle: String?
    /// Instead of the environment's `https_proxy` and the like. Loopback addresses never go through a proxy.
    package var proxy: String?
    package var userAgent = "finops"

    package init() {}
}

extension TransferSettings {
    /// What holds for every protocol: an end in time, TLS of at least 1.2 and certificates that are verified.
    func apply(to curl: UnsafeMutableRawPointer) -> [CURLcode] {
        [
            finops_curl_set_number(curl, CURLOPT_NOSIGNAL, 1),
            finops_curl_set_number(curl, CURLOPT_SSLVERSION, CURL_SSLVERSION_TLSv1_2),
            finops_curl_set_number(curl, CURLOPT_SSL_VERIFYPEER, 1),
            finops_curl_set_number(curl, CURLOPT_SSL_VERIFYHOST, 2),
            finops_curl_set_number(curl, CURLOPT_CONNECTTIMEOUT, connectSeconds),
            finops_curl_set_number(curl, CURLOPT_TIMEOUT, totalSeconds),
        ] + (caBundle.map { [finops_curl_set_text(curl, CURLOPT_CAINFO, $0)] } ?? [])
    }
}
