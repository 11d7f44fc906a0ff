import ArgumentParser
import Glibc
import Runtime

/// Serves until it is asked to stop.
struct RunCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run", abstract: "Serve calls, until asked to stop.",
        discussion: """
            Several gateways may run side by side, each with a name of its own. Examples:
              gateway run --dir D
              gateway run --name gateway-2 --dir D
            """)

    @OptionGroup var global: GlobalOptions
    @OptionGroup var service: ServiceOptions

    @Option(help: "Its name in the log and in status: lower-case letters, digits and hyphens.")
    var name = "gateway"

    func validate() throws {
        let isName = (1...40).contains(name.utf8.count) && name.utf8.first != UInt8(ascii: "-")
        let isPlain = name.utf8.allSatisfy {
            (UInt8(ascii: "a")...UInt8(ascii: "z")).contains($0) || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0)
                || $0 == UInt8(ascii: "-")
        }
        guard isName, isPlain else {
            throw ValidationError("--name must be 1 to 40 lower-case letters, digits and hyphens, not \"\(name)\"")
        }
    }

    func run() async throws {
        limitHeaps(2)
        hideMemory()
        raiseFileLimit()
        try await StageProgram.run(name, options: global, service: service) { context in
            [GatewayService(name: name, context: context)]
        }
    }

    /// Every client and every call of an upstream takes a file descriptor; the usual soft limit allows a thousand. Where it
    /// cannot be raised, the limit on connections is met earlier.
    private func raiseFileLimit() {
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return }
        limit.rlim_cur = min(limit.rlim_max, 65_536)
        setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
    }
}
