import NIOSSL

/// Whether a certificate is one of a name.
///
/// NIOSSL, which looks at its chain and its dates, also takes one of the address that was reached, whatever was called.
/// Who answers a look-up chooses that address, and authorities sign certificates of addresses, so a name has to stand in it.
enum CertificateName {
    static func isProven(_ host: String, by certificate: NIOSSLCertificate) -> Bool {
        certificate._subjectAlternativeNames().contains { name in
            name.nameType == .dnsName && matches(String(decoding: name.contents, as: UTF8.self), host)
        }
    }

    /// RFC 6125, 6.4.3: `*` stands for one whole label, the first.
    static func matches(_ pattern: String, _ host: String) -> Bool {
        let (pattern, name) = (pattern.lowercased(), host.lowercased())
        let host = name.hasSuffix(".") ? name.dropLast() : name[...]
        if pattern == host { return true }
        guard pattern.hasPrefix("*."), let dot = host.firstIndex(of: "."), dot > host.startIndex else { return false }
        return host[dot...] == pattern.dropFirst()
    }
}
