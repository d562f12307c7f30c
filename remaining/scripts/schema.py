import json
def S(d,**k): return dict({'type':'string','description':d},**k)
def I(d,lo,hi=None):
    r={'type':'integer','description':d,'minimum':lo}
    if hi is not None: r['maximum']=hi
    return r
def B(d): return {'type':'boolean','description':d}
def A(d,items=None,**k): return dict({'type':'array','description':d,'items':items or {'type':'object'}},**k)
def M(d,values=None): return {'type':'object','description':d,'additionalProperties':values or {'type':'string'}}
def O(props,d=None,**k):
    r={'type':'object','additionalProperties':False,'properties':props}
    if d: r['description']=d
    r.update(k); return r
TRI={'description':'auto: where the cluster knows the Prometheus operator','enum':['auto',True,False]}
ANY={'type':'object'}
PORT='a port, 1 to 65535'
def port(d): return I(d,1,65535)
SIZE=dict(pattern=r'^[1-9][0-9]*(\.[0-9]+)?(Ki|Mi|Gi|Ti|Pi|k|M|G|T|P)?$')
KEY={}
NAME=r'^([a-z0-9]([-a-z0-9.]*[a-z0-9])?)?$'
DUR=r'^[0-9]+[smhdw]$'
CLASS=S('a StorageClass; unset: the default')
res=O({'requests':ANY,'limits':ANY,'claims':{'type':'array'}},'as in a container',required=['requests','limits'])
image=O({'repository':S('without tag',pattern=r'^[a-z0-9][a-z0-9._/-]*$'),'digest':S('sha256:...',pattern=r'^(sha256:[0-9a-f]{64})?$')})
env=A('as in a container',{'type':'object','additionalProperties':False,'required':['name'],
   'properties':{'name':S('a variable',pattern=r'^[A-Za-z_][A-Za-z0-9_]*$'),'value':S('text: put numbers and true in quotes'),'valueFrom':ANY}})
claim=O({'size':S('as in 100Gi',**SIZE),'storageClass':CLASS})
change=O({'enabled':B('left out of the rules when false'),'severity':{'enum':['info','warning','critical'],'description':'info, warning or critical'},
  'for':S('one number and unit, as in 5m',pattern=DUR),
  'threshold':S('a number as text, as in "2.5": in quotes, because large numbers would become floats',pattern=r'^-?[0-9]+(\.[0-9]+)?$'),
  'labels':{'type':'object','description':'further labels','propertyNames':{'pattern':r'^[A-Za-z_][A-Za-z0-9_]*$'},'additionalProperties':{'type':'string'}}})
P={
'global':ANY,
'fullnameOverride':S('name of the objects, at most 40 characters',pattern=r'^([a-z]([-a-z0-9]{0,38}[a-z0-9])?)?$'),
'commonLabels':M('labels'),
'image':O({'registry':S('registry and folder, without a slash at the end',pattern=r'^([^/ ].*[^/ ])?$'),
  'tag':S('a version; `latest` says nothing and is refused',pattern=r'^([A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?$'),
  'pullPolicy':{'enum':['IfNotPresent','Always','Never'],'description':'IfNotPresent, Always or Never'},
  'pullSecrets':A('names of Secrets',{'type':'string'}),'sequencer':image,'sidecar':image,'loadgen':image}),
'store':O({'mode':{'enum':['','sqlite','postgres'],'description':'sqlite, postgres, or unset: what the URL says'}}),
'replicaCount':I('sequencers; one in sqlite mode',1),
'database':O({'url':S('postgres://...',pattern=r'^(postgres(ql)?://.+)?$'),'port':port('port of the database'),'allowPlaintext':B('go without TLS'),
  'maxConnections':I('of each sequencer',2),'minIdleConnections':I('no effect in this version',0),'acquireTimeoutMs':I('milliseconds',1),
  'statementTimeoutMs':I('milliseconds',1),'idleTimeoutSecs':I('seconds',1),'maxLifetimeSecs':I('seconds',1)}),
'migration':O({'job':B('a Job before install and upgrade'),'deadlineSecs':I('seconds',1)}),
'persistence':O({'data':claim,'sidecarState':claim,'whenDeleted':{'enum':['Retain','Delete'],'description':'Retain or Delete'}}),
'secrets':O({'existingSecret':S('name of a Secret',pattern=NAME),
  'keys':O({k:S('a key of that Secret',pattern=(r'^[-._A-Za-z0-9]*$' if k in('sidecarDatabaseUrl','otlpHeaders') else r'^[-._A-Za-z0-9]+$')) for k in ['bootstrapAdminApiKey','bootstrapSidecarApiKey','signingKey','sidecarToken','databaseUrl','sidecarDatabaseUrl','otlpHeaders']}),
  'bootstrapAdminApiKey':S('ss_ and at least 32 of A-Z a-z 0-9 _ -',**KEY),'bootstrapSidecarApiKey':S('ss_ and at least 32 of A-Z a-z 0-9 _ -',**KEY),
  'signingKey':S('64 hex digits, as openssl rand -hex 32 prints them'),
  'sidecarToken':S('at least 16 characters'),'sidecarDatabaseUrl':S('postgres://...',pattern=r'^(postgres(ql)?://.+)?$')}),
'env':env,
'requireProofOfPossession':B('refuse keys without it'),'sequencerId':S('a UUID',pattern=r'^([0-9a-fA-F-]{36})?$'),'logLevel':S('as RUST_LOG',minLength=1),
'tracing':O({'endpoint':S('http:// or https://',pattern=r'^(https?://.+)?$'),'sampleRatio':S('0 to 1, as text',pattern=r'^(0(\.[0-9]+)?|1(\.0+)?)$')}),
'rateLimit':O({'perMinute':I('0: no limit',0),'maxEntries':I('entries',1)}),
'circuitBreaker':O({'failureThreshold':I('calls',1),'successThreshold':I('probes',1),'slowCallMs':I('milliseconds',1),'timeout':S('no effect in this version',pattern=r'^[0-9]+(ms|s|m)$'),'maxWait':S('no effect in this version',pattern=r'^[0-9]+(ms|s|m)$')}),
'minFreeDiskBytes':I('bytes; 0: off',0),'requestTimeoutSecs':I('seconds',1,3600),
'drain':O({'delaySeconds':I('seconds',0,3600)}),
'ports':O({k:port('a port in the pod, above 1023: pods are not root') for k in ['api','operations','sidecar','loadgen']}),
'resources':res,
'autoscaling':O({'enabled':B('postgres mode only'),'minReplicas':I('least',1),'maxReplicas':I('most',1),'targetCPUUtilizationPercentage':I('percent',1,100),'targetMemoryUtilizationPercentage':I('percent',1,100)}),
'podDisruptionBudget':O({'enabled':B('for two or more')}),
'service':O({'type':{'enum':['ClusterIP','NodePort','LoadBalancer'],'description':'ClusterIP, NodePort or LoadBalancer'},'port':port('port of the API'),
  'nodePort':{'type':['integer','null'],'description':'1 to 65535','minimum':1,'maximum':65535},'annotations':M('annotations'),'loadBalancerClass':S('a class'),
  'loadBalancerSourceRanges':A('as in 10.0.0.0/8',{'type':'string'}),'externalTrafficPolicy':{'enum':['','Cluster','Local'],'description':'Cluster or Local'}}),
'ingress':O({'enabled':B('make one'),'className':S('a class'),'annotations':M('annotations'),'hosts':A('host names',{'type':'string'}),'tls':A('as in an Ingress')}),
'networkPolicy':O({'enabled':B('make them'),'apiFrom':A("as in `from`"),'metricsFrom':A("as in `from`"),'databaseTo':A("as in `to`"),'extraEgress':A('as in `egress`')}),
'serviceAccount':O({'create':B('make one'),'name':S('its name',pattern=NAME),'annotations':M('annotations')}),
'podAnnotations':M('annotations'),'podLabels':M('labels'),'nodeSelector':M('labels of nodes'),'tolerations':A('as in a pod'),'affinity':ANY,
'topologySpreadConstraints':A('as in a pod'),'priorityClassName':S('a class'),'extraVolumes':A('as in a pod'),'extraVolumeMounts':A('as in a container'),
'sidecar':O({'enabled':B('one beside each sequencer'),'native':{'enum':['auto',True,False],'description':'auto: from Kubernetes 1.29'},'canary':B('send events'),
  'checkIntervalSecs':I('seconds',1),'allowedHosts':A('names',{'type':'string'}),'tlsCertificates':A('host:port, or files',{'type':'string'}),
  'runbooksConfigMap':S('name of a ConfigMap',pattern=NAME),'env':env,'resources':res}),
'witness':O({'enabled':B('verify the log'),'auditEventsPerSecond':I('0: off',0),'cpuCores':S('cores, as text: "0.5"',pattern=r'^[0-9]+(\.[0-9]+)?$'),'resources':res}),
'metrics':O({'serviceMonitor':O({'enabled':TRI,'labels':M('labels'),'interval':S('as in 15s',pattern=DUR)}),'prometheusRule':O({'enabled':TRI,'labels':M('labels')})}),
'dashboards':O({'enabled':B('one ConfigMap a board'),'labels':M('labels'),'folder':S('a folder'),'namespace':S('a namespace',pattern=NAME)}),
'links':O({'runbooksUrl':S('http:// or https://',pattern=r'^https?://'),'dashboardsUrl':S('http:// or https://',pattern=r'^https?://')}),
'alerts':{'type':'object','description':'changes by the name of an alert','additionalProperties':change},
'postgresql':O({'enabled':B('for trials'),'image':S('with a tag or digest; `latest` is refused',pattern=r'^[^ ]+(:[A-Za-z0-9_.-]+|@sha256:[0-9a-f]{64})$'),'password':S('letters, digits, _ and -',pattern=r'^[A-Za-z0-9_-]*$'),'size':S('as in 10Gi',**SIZE),'storageClass':CLASS,'resources':res}),
'loadgen':O({'enabled':B('run one'),'profile':S('one of `loadgen list`',minLength=1),'run':S('any text',minLength=1),'args':A('texts',{'type':'string'}),'deadlineSecs':I('seconds',1),'resources':res}),
}
for k in P['ports']['properties'].values(): k['minimum']=1024
doc={'$schema':'http://json-schema.org/draft-07/schema#','title':'Values of the chart stateset-sequencer','description':'README.md says what each value does.'}
doc.update(O(P))
open('/work/helm/helm/values.schema.json','w').write(json.dumps(doc,indent=2)+'\n')
