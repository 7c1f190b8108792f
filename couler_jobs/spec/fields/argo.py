"""Argo's own types: one a line, with its fields (the notation: `couler_jobs.spec.fields`)."""

TABLE = """
ArchiveStrategy none:NoneStrategy tar:TarStrategy zip:ZipStrategy
Arguments artifacts:[Artifact] parameters:[Parameter]
Artifact archive:ArchiveStrategy archiveLogs:bool artifactGC:ArtifactGC
  artifactory:ArtifactoryArtifact azure:AzureArtifact deleted:bool from:str fromExpression:str
  gcs:GCSArtifact git:GitArtifact globalName:str hdfs:HDFSArtifact http:HTTPArtifact mode:int32
  name!:str optional:bool oss:OSSArtifact path:str plugin@4.0:PluginArtifact raw:RawArtifact
  recurseMode:bool s3:S3Artifact subPath:str
ArtifactGC podMetadata:Metadata serviceAccountName:str strategy:str
ArtifactLocation archiveLogs:bool artifactory:ArtifactoryArtifact azure:AzureArtifact
  gcs:GCSArtifact git:GitArtifact hdfs:HDFSArtifact http:HTTPArtifact oss:OSSArtifact
  plugin@4.0:PluginArtifact raw:RawArtifact s3:S3Artifact
ArtifactPaths archive:ArchiveStrategy archiveLogs:bool artifactGC:ArtifactGC
  artifactory:ArtifactoryArtifact azure:AzureArtifact deleted:bool from:str fromExpression:str
  gcs:GCSArtifact git:GitArtifact globalName:str hdfs:HDFSArtifact http:HTTPArtifact mode:int32
  name!:str optional:bool oss:OSSArtifact path:str plugin@4.0:PluginArtifact raw:RawArtifact
  recurseMode:bool s3:S3Artifact subPath:str
ArtifactRepositoryRef configMap:str key:str
ArtifactoryArtifact passwordSecret:SecretKeySelector url!:str usernameSecret:SecretKeySelector
AzureArtifact accountKeySecret:SecretKeySelector blob!:str container!:str endpoint!:str
  useSDKCreds:bool
Backoff cap@3.7:str duration:str factor:intstr maxDuration:str
BasicAuth passwordSecret:SecretKeySelector usernameSecret:SecretKeySelector
Cache configMap!@4.0:LocalObjectReference configMap@-3.7:ConfigMapKeySelector
ClientCertAuth clientCertSecret:SecretKeySelector clientKeySecret:SecretKeySelector
ClusterWorkflowTemplate apiVersion:str kind:str metadata!:ObjectMeta spec!:WorkflowSpec
ContainerNode args:[str] command:[str] dependencies:[str] env:[EnvVar] envFrom:[EnvFromSource]
  image:str imagePullPolicy:str lifecycle:Lifecycle livenessProbe:Probe name!:str
  ports:[ContainerPort] readinessProbe:Probe resizePolicy@3.6:[ContainerResizePolicy]
  resources:ResourceRequirements restartPolicy@3.6:str
  restartPolicyRules@4.1:[ContainerRestartRule] securityContext:SecurityContext startupProbe:Probe
  stdin:bool stdinOnce:bool terminationMessagePath:str terminationMessagePolicy:str tty:bool
  volumeDevices:[VolumeDevice] volumeMounts:[VolumeMount] workingDir:str
ContainerSetRetryStrategy duration:str retries!:intstr
ContainerSetTemplate containers!:[ContainerNode] retryStrategy:ContainerSetRetryStrategy
  volumeMounts:[VolumeMount]
ContinueOn error:bool failed:bool
Counter value!:str
CreateS3BucketOptions objectLocking:bool
CronWorkflow apiVersion:str kind:str metadata!:ObjectMeta spec!:CronWorkflowSpec
  status:CronWorkflowStatus
CronWorkflowSpec concurrencyPolicy:str failedJobsHistoryLimit:int32 schedule@-3.7:str
  schedules!@3.6:[str] startingDeadlineSeconds:int64 stopStrategy@3.6:StopStrategy
  successfulJobsHistoryLimit:int32 suspend:bool timezone:str when@3.6:str
  workflowMetadata:EmbeddedMeta workflowSpec!:WorkflowSpec
CronWorkflowStatus active:[any] conditions:[any] failed@3.6:int64 lastScheduledTime:time
  phase@3.6:str succeeded@3.6:int64
DAGTask arguments:Arguments continueOn:ContinueOn dependencies:[str] depends:str
  hooks:{LifecycleHook} inline:Template name!:str onExit:str template:str templateRef:TemplateRef
  when:str withItems:[any] withParam:str withSequence:Sequence
DAGTemplate failFast:bool target:str tasks!:[DAGTask]
Data source!:DataSource transformation!:[TransformationStep]
DataSource artifactPaths:ArtifactPaths
ExecutorConfig serviceAccountName:str
ExecutorPlugin metadata!:EmbeddedMeta spec!:ExecutorPluginSpec
ExecutorPluginSidecar automountServiceAccountToken:bool container!:Container
ExecutorPluginSpec sidecar!:ExecutorPluginSidecar
GCSArtifact bucket:str key!:str serviceAccountKeySecret:SecretKeySelector
Gauge operation:str realtime!:bool value!:str
GitArtifact branch:str depth:uint64 disableSubmodules:bool fetch:[str] insecureIgnoreHostKey:bool
  insecureSkipTLS@3.6:bool passwordSecret:SecretKeySelector repo!:str revision:str
  singleBranch:bool sshPrivateKeySecret:SecretKeySelector usernameSecret:SecretKeySelector
HDFSArtifact addresses:[str] dataTransferProtection@3.6:str force:bool hdfsUser:str
  krbCCacheSecret:SecretKeySelector krbConfigConfigMap:ConfigMapKeySelector
  krbKeytabSecret:SecretKeySelector krbRealm:str krbServicePrincipalName:str krbUsername:str
  path!:str
HTTP body:str bodyFrom:HTTPBodySource headers:[HTTPHeader] insecureSkipVerify:bool method:str
  successCondition:str timeoutSeconds:int64 url!:str
HTTPArtifact auth:HTTPAuth headers:[Header] saveStreamViaFile@4.1:bool url!:str
HTTPAuth basicAuth:BasicAuth clientCert:ClientCertAuth oauth2:OAuth2Auth
HTTPBodySource bytes:bytes
HTTPHeader name!:str value:str valueFrom:HTTPHeaderSource
HTTPHeaderSource secretKeyRef:SecretKeySelector
Header name!:str value!:str
Histogram buckets!:[num] value!:str
Inputs artifacts:[Artifact] parameters:[Parameter]
LabelValueFrom expression!:str
LifecycleHook arguments:Arguments expression:str template:str templateRef:TemplateRef
ManifestFrom artifact!:Artifact
Memoize cache!:Cache key!:str maxAge!:str
Metadata annotations:{str} labels:{str}
MetricLabel key!:str value!:str
Metrics prometheus!:[Prometheus]
Mutex database@3.7:bool name:str namespace:str
NoneStrategy
OAuth2Auth clientIDSecret:SecretKeySelector clientSecretSecret:SecretKeySelector
  endpointParams:[OAuth2EndpointParam] scopes:[str] tokenURLSecret:SecretKeySelector
OAuth2EndpointParam key!:str value:str
OSSArtifact accessKeySecret:SecretKeySelector bucket:str createBucketIfNotPresent:bool
  endpoint:str key!:str lifecycleRule:OSSLifecycleRule secretKeySecret:SecretKeySelector
  securityToken:str useSDKCreds:bool
OSSLifecycleRule markDeletionAfterDays:int32 markInfrequentAccessAfterDays:int32
Outputs artifacts:[Artifact] exitCode:str parameters:[Parameter] result:str
Parameter default:text description:text enum:[text] globalName:str name!:str value:text
  valueFrom:ValueFrom
PluginArtifact configuration:str connectionTimeoutSeconds:int32 key!:str name:str
PodGC deleteDelayDuration:str labelSelector:LabelSelector strategy:str
Prometheus counter:Counter gauge:Gauge help!:str histogram:Histogram labels:[MetricLabel]
  name!:str when:str
RawArtifact data!:str
ResourceTemplate action!:str failureCondition:str flags:[str] manifest:str
  manifestFrom:ManifestFrom mergeStrategy:str setOwnerReference:bool successCondition:str
RetryAffinity nodeAntiAffinity:RetryNodeAntiAffinity
RetryNodeAntiAffinity
RetryStrategy affinity:RetryAffinity backoff:Backoff expression:str limit:intstr retryPolicy:str
S3Artifact accessKeySecret:SecretKeySelector addressingStyle@4.1:str bucket:str
  caSecret:SecretKeySelector createBucketIfNotPresent:CreateS3BucketOptions
  encryptionOptions:S3EncryptionOptions endpoint:str insecure:bool key:str region:str roleARN:str
  secretKeySecret:SecretKeySelector sessionTokenSecret@3.6:SecretKeySelector useSDKCreds:bool
S3EncryptionOptions enableEncryption:bool kmsEncryptionContext:str kmsKeyId:str
  serverSideCustomerKeySecret:SecretKeySelector
ScriptTemplate args:[str] command:[str] env:[EnvVar] envFrom:[EnvFromSource] image:str
  imagePullPolicy:str lifecycle:Lifecycle livenessProbe:Probe name:str ports:[ContainerPort]
  readinessProbe:Probe resizePolicy@3.6:[ContainerResizePolicy] resources:ResourceRequirements
  restartPolicy@3.6:str restartPolicyRules@4.1:[ContainerRestartRule]
  securityContext:SecurityContext source:str startupProbe:Probe stdin:bool stdinOnce:bool
  terminationMessagePath:str terminationMessagePolicy:str tty:bool volumeDevices:[VolumeDevice]
  volumeMounts:[VolumeMount] workingDir:str
SemaphoreRef configMapKeyRef:ConfigMapKeySelector database@3.7:SyncDatabaseRef namespace:str
Sequence count:intstr end:intstr format:str start:intstr
StopStrategy expression!:str
SuppliedValueFrom
SuspendTemplate duration:str
SyncDatabaseRef key!:str
Synchronization mutex@-3.7:Mutex mutexes@3.6:[Mutex] semaphore@-3.7:SemaphoreRef
  semaphores@3.6:[SemaphoreRef]
TTLStrategy secondsAfterCompletion:int32 secondsAfterFailure:int32 secondsAfterSuccess:int32
TarStrategy compressionLevel:int32
Template activeDeadlineSeconds:intstr affinity:Affinity annotations@3.7:{str}
  archiveLocation:ArtifactLocation automountServiceAccountToken:bool container:Container
  containerSet:ContainerSetTemplate daemon:bool dag:DAGTemplate data:Data executor:ExecutorConfig
  failFast:bool hostAliases:[HostAlias] http:HTTP initContainers:[UserContainer] inputs:Inputs
  memoize:Memoize metadata:Metadata metrics:Metrics name:str nodeSelector:{str} outputs:Outputs
  parallelism:int64 pendingTimeout@4.1:str plugin:plugin podResources@4.1:ResourceRequirements
  podSpecPatch:str priority@-3.6:int64 priorityClassName:str resource:ResourceTemplate
  resourceClaims@4.1:[PodResourceClaim] retryStrategy:RetryStrategy schedulerName:str
  script:ScriptTemplate securityContext:PodSecurityContext serviceAccountName:str
  sidecars:[UserContainer] steps:[[WorkflowStep]] suspend:SuspendTemplate
  synchronization:Synchronization timeout:str tolerations:[Toleration] volumes:[Volume]
TemplateRef clusterScope:bool name:str template:str
TransformationStep expression!:str
UserContainer args:[str] command:[str] env:[EnvVar] envFrom:[EnvFromSource] image:str
  imagePullPolicy:str lifecycle:Lifecycle livenessProbe:Probe mirrorVolumeMounts:bool name!:str
  ports:[ContainerPort] readinessProbe:Probe resizePolicy@3.6:[ContainerResizePolicy]
  resources:ResourceRequirements restartPolicy@3.6:str
  restartPolicyRules@4.1:[ContainerRestartRule] securityContext:SecurityContext startupProbe:Probe
  stdin:bool stdinOnce:bool terminationMessagePath:str terminationMessagePolicy:str tty:bool
  volumeDevices:[VolumeDevice] volumeMounts:[VolumeMount] workingDir:str
ValueFrom configMapKeyRef:ConfigMapKeySelector default:text event:str expression:str jqFilter:str
  jsonPath:str parameter:str path:str supplied:SuppliedValueFrom
VolumeClaimGC strategy:str
Workflow apiVersion:str kind:str metadata!:ObjectMeta spec!:WorkflowSpec status:WorkflowStatus
WorkflowLevelArtifactGC forceFinalizerRemoval:bool podMetadata:Metadata podSpecPatch:str
  serviceAccountName:str strategy:str
WorkflowMetadata annotations:{str} labels:{str} labelsFrom:{LabelValueFrom}
WorkflowSpec activeDeadlineSeconds:int64 affinity:Affinity archiveLogs:bool arguments:Arguments
  artifactGC:WorkflowLevelArtifactGC artifactRepositoryRef:ArtifactRepositoryRef
  automountServiceAccountToken:bool dnsConfig:PodDNSConfig dnsPolicy:str entrypoint:str
  executor:ExecutorConfig executorPlugins@4.1:[ExecutorPlugin] hooks:{LifecycleHook}
  hostAliases:[HostAlias] hostNetwork:bool imagePullSecrets:[LocalObjectReference] metrics:Metrics
  nodeSelector:{str} onExit:str parallelism:int64 podDisruptionBudget:PodDisruptionBudgetSpec
  podGC:PodGC podMetadata:Metadata podPriority@-3.6:int64 podPriorityClassName:str
  podResources@4.1:ResourceRequirements podSpecPatch:str priority:int32
  resourceClaims@4.1:[PodResourceClaim] retryStrategy:RetryStrategy schedulerName:str
  securityContext:PodSecurityContext serviceAccountName:str shutdown:str suspend:bool
  synchronization:Synchronization templateDefaults:Template templates:[Template]
  tolerations:[Toleration] ttlStrategy:TTLStrategy volumeClaimGC:VolumeClaimGC
  volumeClaimTemplates:[PersistentVolumeClaim] volumes:[Volume] workflowMetadata:WorkflowMetadata
  workflowTemplateRef:WorkflowTemplateRef
WorkflowStatus artifactGCStatus:{any} artifactRepositoryRef:{any} compressedNodes:str
  conditions:[any] estimatedDuration:int64 finishedAt:time message:str nodes:{any}
  offloadNodeStatusVersion:str outputs:{any} persistentVolumeClaims:[any] phase:str progress:str
  resourcesDuration:{any} startedAt:time storedTemplates:{any} storedWorkflowTemplateSpec:{any}
  synchronization:{any} taskResultsCompletionStatus:{bool}
WorkflowStep arguments:Arguments continueOn:ContinueOn hooks:{LifecycleHook} inline:Template
  name:str onExit:str template:str templateRef:TemplateRef when:str withItems:[any] withParam:str
  withSequence:Sequence
WorkflowTemplate apiVersion:str kind:str metadata!:ObjectMeta spec!:WorkflowSpec
WorkflowTemplateRef clusterScope:bool name:str
ZipStrategy
"""
