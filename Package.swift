// swift-tools-version: 6.2
import PackageDescription

let strict: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .treatAllWarnings(as: .error),
]

let argumentParser: Target.Dependency = .product(name: "ArgumentParser", package: "swift-argument-parser")
let hummingbird: Target.Dependency = .product(name: "Hummingbird", package: "hummingbird")
let httpTypes: Target.Dependency = .product(name: "HTTPTypes", package: "swift-http-types")
let logging: Target.Dependency = .product(name: "Logging", package: "swift-log")
let nioCore: Target.Dependency = .product(name: "NIOCore", package: "swift-nio")
let nioEmbedded: Target.Dependency = .product(name: "NIOEmbedded", package: "swift-nio")
let nioHTTP1: Target.Dependency = .product(name: "NIOHTTP1", package: "swift-nio")
let nioHTTP2: Target.Dependency = .product(name: "NIOHTTP2", package: "swift-nio-http2")
let nioPosix: Target.Dependency = .product(name: "NIOPosix", package: "swift-nio")
let nioTLS: Target.Dependency = .product(name: "NIOTLS", package: "swift-nio")
let nioSSL: Target.Dependency = .product(name: "NIOSSL", package: "swift-nio-ssl")
let protobuf: Target.Dependency = .product(name: "SwiftProtobuf", package: "swift-protobuf")
let serviceLifecycle: Target.Dependency = .product(name: "ServiceLifecycle", package: "swift-service-lifecycle")
let unixSignals: Target.Dependency = .product(name: "UnixSignals", package: "swift-service-lifecycle")
let yams: Target.Dependency = .product(name: "Yams", package: "Yams")

/// A library of ours: arrows between libraries go down only, and `Ops/check-imports` holds them to it.
func library(
    _ name: String, _ dependencies: [Target.Dependency] = [], path: String? = nil, exclude: [String] = []
) -> Target {
    .target(name: name, dependencies: dependencies, path: path, exclude: exclude, swiftSettings: strict)
}

/// One stage of the pipeline: kebab-case, the same name everywhere.
func program(_ name: String, _ dependencies: [Target.Dependency], exclude: [String] = []) -> Target {
    .executableTarget(name: name, dependencies: dependencies, exclude: exclude, swiftSettings: strict)
}

func tests(
    _ name: String, _ dependencies: [Target.Dependency], exclude: [String] = [], resources: [Resource] = []
) -> Target {
    .testTarget(
        name: name, dependencies: dependencies + ["TestSupport"], exclude: exclude, resources: resources,
        swiftSettings: strict)
}

let package = Package(
    name: "finops",
    products: [
        .executable(name: "event-log", targets: ["event-log"]),
        .executable(name: "projector", targets: ["projector"]),
        .executable(name: "ingest-openai", targets: ["ingest-openai"]),
        .executable(name: "attributor", targets: ["attributor"]),
        .executable(name: "threshold-watcher", targets: ["threshold-watcher"]),
        .executable(name: "notifier", targets: ["notifier"]),
        .executable(name: "gateway", targets: ["gateway"]),
        .executable(name: "reporter", targets: ["reporter"]),
        .executable(name: "finops", targets: ["finops"]),
        .executable(name: "sandbox", targets: ["sandbox"]),
        .executable(name: "benchmarks", targets: ["benchmarks"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-http-types", from: "1.8.0"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-nio.git", from: "2.101.2"),
        .package(url: "https://github.com/apple/swift-nio-http2.git", from: "1.46.0"),
        .package(url: "https://github.com/apple/swift-nio-ssl.git", from: "2.37.6"),
        .package(url: "https://github.com/apple/swift-protobuf", from: "1.39.0"),
        .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.1"),
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
    ],
    targets: [
        // C libraries of the system, and data compiled in as C
        .systemLibrary(name: "CCurl"),
        .systemLibrary(name: "COpenSSL"),
        .systemLibrary(name: "CSQLite"),
        .systemLibrary(name: "CZeroMQ"),
        .target(name: "CDefaultPipeline"),
        .target(name: "CSeedPrices", exclude: ["model-prices.json"]),
        .target(name: "CRuntime"),
        .target(name: "CLoopWait"),

        // Leaves
        library("Digest", ["COpenSSL"]),
        library("JSON"),
        library("Secret"),

        // The log and its wire
        library("EventLog"),
        library("Storage", ["CSQLite", "Digest", "EventLog"]),
        library("ZeroMQ", ["CZeroMQ"]),
        library("Messaging", ["EventLog", "ZeroMQ"]),

        // The domain
        library("FinOps", ["CSeedPrices", "Digest", "EventLog", "JSON", "Secret", protobuf], exclude: ["Schema"]),

        // Edges
        library("Transfer", ["CCurl", "Secret"]),
        library("Vault", ["COpenSSL", "Digest", "JSON", "Secret"]),
        library("Notices", ["EventLog", "FinOps", "JSON"]),
        library("Channels", ["Digest", "EventLog", "FinOps", "JSON", "Notices", "Secret", "Transfer"]),
        library("Projections", ["CSQLite", "Digest", "EventLog", "FinOps", "JSON"]),
        library("Providers", ["Digest", "EventLog", "FinOps", "JSON", "Secret", "Transfer", "Vault"]),
        library("Spool", ["Digest", "EventLog"]),
        library(
            "Proxy", ["CLoopWait", "CRuntime", logging, nioCore, nioHTTP1, nioHTTP2, nioPosix, nioSSL, nioTLS]),
        library("Metering", ["Digest", "EventLog", "FinOps", "JSON"]),
        library("Stages", ["EventLog", "FinOps", "JSON", "Notices", "Secret", "Spool", logging]),
        library(
            "Runtime",
            [
                "CRuntime", "Digest", "EventLog", "JSON", "Messaging", "Secret", argumentParser, logging,
                serviceLifecycle, unixSignals, yams,
            ]),

        // Programs
        program(
            "event-log",
            [
                "Digest", "EventLog", "FinOps", "JSON", "Messaging", "Runtime", "Storage", argumentParser, logging,
                protobuf, serviceLifecycle,
            ]),
        program(
            "projector",
            [
                "EventLog", "FinOps", "JSON", "Messaging", "Projections", "Runtime", "Stages", "Storage",
                argumentParser,
                logging, serviceLifecycle,
            ]),
        program(
            "ingest-openai",
            [
                "Digest", "EventLog", "FinOps", "JSON", "Messaging", "Providers", "Runtime", "Secret", "Stages",
                "Storage", "Transfer", "Vault", argumentParser, hummingbird, logging, serviceLifecycle,
            ]),
        program(
            "attributor",
            [
                "EventLog", "FinOps", "JSON", "Messaging", "Runtime", "Stages", "Storage", argumentParser, logging,
                serviceLifecycle,
            ]),
        program(
            "threshold-watcher",
            [
                "EventLog", "FinOps", "JSON", "Messaging", "Runtime", "Stages", "Storage", argumentParser, logging,
                serviceLifecycle,
            ]),
        program(
            "notifier",
            [
                "Channels", "EventLog", "FinOps", "JSON", "Messaging", "Notices", "Providers", "Runtime", "Secret",
                "Stages", "Storage", "Transfer", "Vault", argumentParser, logging, serviceLifecycle,
            ]),
        program(
            "gateway",
            [
                "Digest", "EventLog", "FinOps", "JSON", "Messaging", "Metering", "Providers", "Proxy", "Runtime",
                "Secret", "Spool", "Stages", "Storage", "Transfer", "Vault", argumentParser, logging, nioCore,
                nioHTTP1, serviceLifecycle,
            ]),
        program("reporter", ["EventLog", "FinOps", "JSON", "Projections", "Runtime", "Storage", argumentParser]),
        program(
            "finops",
            [
                "CDefaultPipeline", "Digest", "EventLog", "FinOps", "JSON", "Messaging", "Metering", "Projections",
                "Providers", "Runtime", "Secret", "Spool", "Stages", "Storage", "Transfer", "Vault", argumentParser,
            ]),
        program(
            "sandbox",
            [
                "CSandboxTrace", "EventLog", "JSON", "Runtime", "Secret", "Transfer", argumentParser, httpTypes,
                hummingbird,
                logging, nioCore, nioPosix, serviceLifecycle,
            ]),
        .target(name: "CSandboxTrace", exclude: ["azure-llm-conv-2023.csv"]),
        program(
            "benchmarks",
            [
                "CLimits", "EventLog", "FinOps", "JSON", "Messaging", "Runtime", "Spool", "Stages", "Storage",
                argumentParser, logging, protobuf,
            ]),
        program("empty-program", []),
        .target(name: "CLimits", dependencies: ["CSQLite", "CZeroMQ"]),

        // Tests
        library(
            "TestSupport", ["EventLog", "FinOps", "Messaging", "Runtime", "Storage", protobuf],
            path: "Tests/TestSupport", exclude: ["KeyService", "MailServer"]),
        tests("EventLogTests", ["EventLog", "Messaging", "Storage", "Digest"]),
        tests("StorageTests", ["CSQLite", "Digest", "EventLog", "Storage"]),
        tests("MessagingTests", ["EventLog", "Messaging", "Runtime", "Storage", "ZeroMQ"]),
        tests(
            "FinOpsTests", ["Digest", "EventLog", "FinOps", "JSON", protobuf],
            resources: [.copy("Golden"), .copy("Fixtures")]),
        tests("JSONTests", ["JSON"]),
        tests("VaultTests", ["Digest", "Secret", "Vault"]),
        tests("TransferTests", ["Secret", "Transfer"]),
        tests(
            "ChannelsTests",
            ["Channels", "EventLog", "FinOps", "JSON", "Notices", "Secret", "Transfer", protobuf],
            resources: [.copy("Fixtures")]),
        tests(
            "ProvidersTests", ["Digest", "EventLog", "FinOps", "JSON", "Providers", "Secret", "Transfer", "Vault"],
            resources: [.copy("Fixtures")]),
        tests(
            "NoticesTests", ["EventLog", "FinOps", "JSON", "Notices", protobuf], resources: [.copy("Golden")]),
        tests("ProjectionsTests", ["CSQLite", "EventLog", "FinOps", "JSON", "Projections", "Storage", protobuf]),
        tests("SpoolTests", ["EventLog", "Spool"]),
        tests(
            "ProxyTests",
            ["CLoopWait", "Proxy", logging, nioCore, nioEmbedded, nioHTTP1, nioHTTP2, nioPosix, nioSSL, nioTLS],
            resources: [.copy("Fixtures")]),
        tests(
            "MeteringTests", ["EventLog", "FinOps", "JSON", "Metering", protobuf], resources: [.copy("Fixtures")]),
        tests(
            "StagesTests",
            [
                "Channels", "EventLog", "FinOps", "JSON", "Messaging", "Notices", "Secret", "Spool", "Stages", logging,
                protobuf,
            ]),
        tests(
            "RuntimeTests", ["EventLog", "JSON", "Messaging", "Runtime", argumentParser, logging, serviceLifecycle]),
        tests(
            "EndToEndTests",
            [
                "EventLog", "FinOps", "JSON", "Metering", "Notices", "Projections", "Runtime", "Spool", "Stages",
                "Storage",
                logging,
                protobuf,
            ], exclude: ["Clients"]),
    ],
    swiftLanguageModes: [.v6]
)
