import NIOSSL
import Synchronization

/// Whose certificates are trusted: the system's authorities, and for some upstreams others besides.
final class UpstreamTrust: Sendable {
    private let system: NIOSSLContext
    private let others = Mutex<[String: NIOSSLContext]>([:])

    /// - Throws: whatever the system's authorities cannot be read for.
    init() throws { system = try NIOSSLContext(configuration: Self.configuration) }

    /// - Parameter authorities: a PEM file; nil: the system's alone.
    /// - Throws: `ProxyFailure`.
    func context(_ authorities: String?) throws -> NIOSSLContext {
        guard let authorities else { return system }
        return try others.withLock { others in
            if let known = others[authorities] { return known }
            var configuration = Self.configuration
            do {
                configuration.additionalTrustRoots = [
                    .certificates(try NIOSSLCertificate.fromPEMFile(authorities))
                ]
                let context = try NIOSSLContext(configuration: configuration)
                others[authorities] = context
                return context
            } catch {
                throw ProxyFailure("the authorities in \(authorities) cannot be used: \(error)")
            }
        }
    }

    private static var configuration: TLSConfiguration {
        var configuration = TLSConfiguration.makeClientConfiguration()
        configuration.minimumTLSVersion = .tlsv12
        configuration.applicationProtocols = ["h2", "http/1.1"]
        return configuration
    }
}
